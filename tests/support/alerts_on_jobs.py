"""Cases of the alerts about how jobs stand."""

from alert_case import (
    END,
    JOB,
    NAN,
    TRAINS,
    Case,
    Series,
    Values,
    info,
    job,
    rising,
    started,
    state,
    worker,
    workers,
)

from gossip_api.metrics import jobs, processes


def degraded(*, ready: float, minimum: float, since: int = 5, until: int = END) -> Series:
    """Return a job of four workers that lacks some of them for a while."""
    short = range(since, until)
    return state(
        lambda m: "Succeeded" if m >= END else "Degraded" if m in short else "Running"
    ) | workers(desired=4, minimum=minimum, ready=lambda m: ready if m in short else 4)


def stepping(until: int = END, **more: str) -> Series:
    """Return a worker that takes steps until that minute."""
    return worker(processes.LAST_STEP, lambda m: 60 * min(m, until), **more)


def failed(*, completed: float, **conditions: str) -> Series:
    """Return a job that was over at that time, with one condition's status from minute 10 on."""
    series = job(jobs.COMPLETED, completed)
    for condition, status in conditions.items():
        for value in jobs.CONDITION_STATUSES:
            series |= job(
                jobs.CONDITION,
                lambda m, holds=value == status: float(holds and m >= 10),
                condition=condition,
                status=value,
            )
    return series


def beginning(until: int, *, instance: str = "operator-a") -> Series:
    """Return a job whose pods are scheduled at minute 10, and that trains from `until` on."""
    return state(
        lambda m: "Pending" if m < 10 else "Starting" if m < until else "Running",
        instance=instance,
    )


def handed_over(series: Series, at: int) -> Series:
    """Let another replica of the operator tell the same, one minute after the first has gone."""
    told: Series = {}
    for name, values in series.items():
        told[name] = lambda m, values=values: values(m) if m < at else None
        later = name.replace("operator-a", "operator-b")
        told[later] = lambda m, values=values: values(m) if m > at else None
    return told


PENDING = (
    Case(
        title="too few workers come up, first unscheduled, then starting",
        alert="GossipJobPending",
        series=beginning(40),
        since=0,
        until=40,
    ),
    Case(
        title="the operator's leader changes meanwhile",
        alert="GossipJobPending",
        series=handed_over(beginning(40), at=9),
        since=0,
        until=40,
    ),
    Case(title="it begins in time", alert="GossipJobPending", series=beginning(15)),
    Case(title="it rests", alert="GossipJobPending", series=state(lambda _: "Suspended")),
)
STALLED = (
    Case(
        title="the only worker stops",
        alert="GossipJobStalled",
        series=TRAINS | stepping(20) | job(jobs.BEGAN, 0),
        since=31,
        severity="critical",
        value="12m 0s",
    ),
    Case(
        title="no worker is scraped and the status stands still",
        alert="GossipJobStalled",
        series=TRAINS | job(jobs.UPDATED, 1200) | job(jobs.BEGAN, 0),
        since=31,
        severity="critical",
        value="12m 0s",
    ),
    Case(
        title="one worker of two goes on",
        alert="GossipJobStalled",
        series=TRAINS | stepping(20) | stepping(rank="1"),
    ),
    Case(
        title="workers go on that the operator cannot ask",
        alert="GossipJobStalled",
        series=TRAINS | stepping() | job(jobs.UPDATED, 1200) | job(jobs.BEGAN, 0),
    ),
    Case(
        title="workers go on that are not scraped",
        alert="GossipJobStalled",
        series=TRAINS | job(jobs.UPDATED, rising(60)) | job(jobs.BEGAN, 0),
    ),
    Case(
        title="workers waited for long and have just begun",
        alert="GossipJobStalled",
        series=state(lambda m: "Starting" if m < 30 else "Running" if m < 40 else "Succeeded")
        | job(jobs.UPDATED, 60)
        | job(jobs.BEGAN, lambda m: 1800 if m >= 30 else None),
    ),
    Case(
        title="it rests",
        alert="GossipJobStalled",
        series=state(lambda m: "Running" if m < 20 else "Suspended") | job(jobs.UPDATED, 1200),
    ),
)
DEGRADED = (
    Case(
        title="one worker of four is missing",
        alert="GossipJobDegraded",
        series=degraded(ready=3, minimum=2),
        since=5,
        value="1",
    ),
    Case(
        title="it is replaced in time",
        alert="GossipJobDegraded",
        series=degraded(ready=3, minimum=2, until=14),
    ),
    Case(
        title="there are fewer than the least, of which another alert speaks",
        alert="GossipJobDegraded",
        series=degraded(ready=1, minimum=2),
    ),
    Case(
        title="all are there, and the state is not yet told",
        alert="GossipJobDegraded",
        series=degraded(ready=4, minimum=2),
    ),
    Case(
        title="workers are missing because training is over",
        alert="GossipJobDegraded",
        series=TRAINS | workers(desired=4, minimum=2, ready=lambda m: 4 if m < 20 else 0),
    ),
)
BELOW_MINIMUM = (
    Case(
        title="one worker is there and two are needed",
        alert="GossipJobBelowMinimum",
        series=degraded(ready=1, minimum=2),
        since=5,
        severity="critical",
        value="1",
    ),
    Case(
        title="none is there",
        alert="GossipJobBelowMinimum",
        series=degraded(ready=0, minimum=1),
        since=5,
        severity="critical",
        value="0",
    ),
    Case(
        title="as many are there as are needed",
        alert="GossipJobBelowMinimum",
        series=degraded(ready=2, minimum=2),
    ),
    Case(
        title="the workers come back in time",
        alert="GossipJobBelowMinimum",
        series=degraded(ready=1, minimum=2, until=9),
    ),
)
WORKER_RESTARTING = (
    Case(
        title="one worker is restarted in place every five minutes",
        alert="GossipWorkerRestarting",
        series=TRAINS | started(0) | started(lambda m: m // 5, rank="2"),
        since=20,
        labels=JOB | {"rank": "2"},
        value="4",
    ),
    Case(
        title="two restarts, another pod, and one more restart, before training has begun",
        alert="GossipWorkerRestarting",
        series=state(lambda m: "Starting" if m < END else "Failed")
        | started(lambda m: min(m // 5, 2) if m < 15 else None, pod="0")
        | started(lambda m: None if m < 15 else min(m // 5, 4), pod="1"),
        since=20,
        until=75,
        labels=JOB | {"rank": "0"},
        value="4",
    ),
    Case(
        title="three restarts within an hour",
        alert="GossipWorkerRestarting",
        series=TRAINS | started(lambda m: min(m // 5, 3)),
    ),
    Case(
        title="a restart every twenty minutes",
        alert="GossipWorkerRestarting",
        series=TRAINS | started(lambda m: m // 20),
    ),
    Case(
        title="every rank's pod is replaced once",
        alert="GossipWorkerRestarting",
        series=TRAINS
        | {
            name: values
            for rank in "01234"
            for pod, there in (("0", range(20)), ("1", range(20, END)))
            for name, values in started(
                lambda m, there=there: there.start if m in there else None, rank=rank, pod=pod
            ).items()
        },
    ),
)
JOB_RESTARTING = (
    Case(
        title="four workers are started again eight times",
        alert="GossipJobRestarting",
        series=TRAINS | workers(desired=4) | job(jobs.RESTARTS, lambda m: max(0, m - 9)),
        since=17,
        value="8",
    ),
    Case(
        title="every worker is replaced once, and three more restart",
        alert="GossipJobRestarting",
        series=TRAINS | workers(desired=4) | job(jobs.RESTARTS, lambda m: min(7, max(0, m - 9))),
    ),
    Case(
        title="ten are spread over more than an hour",
        alert="GossipJobRestarting",
        series=TRAINS
        | workers(desired=4)
        | job(jobs.RESTARTS, lambda m: 5 * (m >= 10) + 5 * (m >= 75)),
    ),
    Case(
        title="the count is high, but old",
        alert="GossipJobRestarting",
        series=TRAINS | workers(desired=4) | job(jobs.RESTARTS, 100),
    ),
)
DAY = 24 * 3600
FAILED = (
    Case(
        title="it failed, and a day passes",
        alert="GossipJobFailed",
        series=failed(completed=3600 - DAY, Failed="True"),
        since=10,
        until=60,
        severity="info",
    ),
    Case(
        title="it succeeded",
        alert="GossipJobFailed",
        series=failed(completed=600, Complete="True", Failed="False"),
    ),
)
NOT_SCRAPED = (
    Case(
        title="it trains unseen",
        alert="GossipJobNotScraped",
        series=TRAINS | info("evaluator"),
        since=0,
        severity="info",
    ),
    Case(
        title="one worker is seen",
        alert="GossipJobNotScraped",
        series=TRAINS | info("worker"),
    ),
    Case(
        title="it does not train",
        alert="GossipJobNotScraped",
        series=state(lambda _: "Pending"),
    ),
)


def saving(*last: Values, every: float = 300, began: int = 0) -> Series:
    """Return workers that began at minute 0, in a job that began at `began`, and their saves."""
    told = job(jobs.BEGAN, 60 * began) | job(jobs.CHECKPOINT_INTERVAL, every)
    for rank, values in enumerate(last):
        told |= worker(processes.LAST_CHECKPOINT, values, rank=str(rank))
        told |= started(0, rank=str(rank))
    return told


def saves(*, saved: Values = 0, failed: Values = 0, rank: str = "0") -> Series:
    """Return how often a worker saved and failed to."""
    return worker(processes.CHECKPOINTS, saved, rank=rank, result="saved") | worker(
        processes.CHECKPOINTS, failed, rank=rank, result="failed"
    )


def every_five(minute: int) -> float:
    """Return when a worker saved last that does so every five minutes."""
    return 300 * (minute // 5)


CHECKPOINT_STALE = (
    Case(
        title="one of two workers saves no more",
        alert="GossipCheckpointStale",
        series=TRAINS | saving(every_five, lambda m: 60 * min(m, 20)),
        since=41,
        value="22m 0s",
    ),
    Case(
        title="a worker has never saved",
        alert="GossipCheckpointStale",
        series=TRAINS | saving(NAN),
        since=21,
        value="22m 0s",
    ),
    Case(
        title="all save as they should",
        alert="GossipCheckpointStale",
        series=TRAINS | saving(every_five, every_five),
    ),
    Case(
        title="the first save is only due: the worker waited an hour for the others",
        alert="GossipCheckpointStale",
        series=state(lambda m: "Starting" if m < 60 else "Running")
        | saving(lambda m: NAN if m < 75 else every_five(m), began=60),
    ),
    Case(
        title="the job asks for none",
        alert="GossipCheckpointStale",
        series=TRAINS | job(jobs.BEGAN, 0) | worker(processes.LAST_CHECKPOINT, NAN) | started(0),
    ),
)
CHECKPOINT_FAILING = (
    Case(
        title="one of two workers cannot write",
        alert="GossipCheckpointFailing",
        series=TRAINS | saves(saved=rising(0.2)) | saves(failed=rising(0.2), rank="1"),
        since=1,
        value="50%",
    ),
    Case(
        title="one save in an hour fails",
        alert="GossipCheckpointFailing",
        series=TRAINS | saves(saved=rising(0.2), failed=lambda m: float(m >= 30)),
    ),
    Case(
        title="none is made",
        alert="GossipCheckpointFailing",
        series=TRAINS | saves(),
    ),
)

CASES = (
    *PENDING,
    *STALLED,
    *DEGRADED,
    *BELOW_MINIMUM,
    *WORKER_RESTARTING,
    *JOB_RESTARTING,
    *FAILED,
    *NOT_SCRAPED,
    *CHECKPOINT_STALE,
    *CHECKPOINT_FAILING,
)
