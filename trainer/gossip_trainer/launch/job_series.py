"""What a local run tells Prometheus of the job as a whole, from its event records alone. Pure.

The same series as the operator's, which makes them of the job's status.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from gossip_api.metrics import jobs
from gossip_api.metrics.description import describe
from gossip_api.metrics.metric import Sample
from gossip_trainer.report.pace import pace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gossip_api.job import GossipTrainingJob
    from gossip_api.metrics.metric import Metric
    from gossip_api.status import ConditionType, State
    from gossip_trainer.launch.local_run import State as Outcome
    from gossip_trainer.report.history import History, WorkerHistory

NAMESPACE = "local"


def job_series(
    job: GossipTrainingJob,
    history: History,
    *,
    created: float,
    completed: float | None = None,
    outcome: Outcome | None = None,
) -> Iterator[Sample]:
    """Yield the samples; what is not known has none.

    Args:
        job: what is run.
        history: what was recorded so far.
        created: when the run began, seconds since the epoch.
        completed: when it was over.
        outcome: how it ended.

    """
    identity = (NAMESPACE, job.metadata.name)
    training, desired = job.spec.training, job.spec.workers.replicas
    words = describe(job.spec.strategy)
    words |= {"model": training.model.name, "data": training.data.name}
    yield Sample(jobs.INFO, identity, 1.0, tuple(words[label] for label in jobs.INFO.labels))
    workers = _newest(history)
    counts = _counts(workers, desired=desired, minimum=job.spec.workers.min_replicas)
    for state in jobs.WORKER_STATES:
        yield Sample(jobs.WORKERS, identity, float(counts[state]), (state,))
    stands = _state(history, outcome, is_short=counts["ready"] < desired)
    for name in jobs.STATE.labels["state"]:
        yield Sample(jobs.STATE, identity, float(name == stands), (name,))
    for condition, holds in _conditions(stands, are_ready=counts["ready"] >= desired).items():
        for status in jobs.CONDITION_STATUSES:
            labels = (condition, status)
            yield Sample(jobs.CONDITION, identity, float(status == str(holds)), labels)
    times = {jobs.CREATED: created, jobs.STARTED: created, jobs.COMPLETED: completed}
    figures = times | _figures(job, history, workers, is_over=outcome is not None)
    for metric, value in figures.items():
        if value is not None:
            yield Sample(metric, identity, value)


def _newest(history: History) -> list[WorkerHistory]:
    """Return the newest process of each rank."""
    by_rank = {worker.member.index: worker for worker in history.workers.values()}
    return list(by_rank.values())  # they are sorted by incarnation


def _counts(workers: list[WorkerHistory], *, desired: int, minimum: int) -> dict[str, int]:
    there = [worker for worker in workers if worker.left is None]
    return {
        "desired": desired,
        "minimum": minimum,
        "active": len(there),
        "ready": sum(worker.began is not None for worker in there),
        "succeeded": sum(worker.finished is not None and not worker.is_lost for worker in workers),
        "failed": sum(worker.is_lost for worker in workers),
    }


def _state(history: History, outcome: Outcome | None, *, is_short: bool) -> State:
    if outcome is not None:
        return "Succeeded" if outcome == "succeeded" else "Failed"
    if history.began_at is None:
        return "Starting"
    return "Degraded" if is_short and not history.stopping else "Running"


def _conditions(state: State, *, are_ready: bool) -> Mapping[ConditionType, bool]:
    is_over = state in {"Succeeded", "Failed"}
    return {
        "Accepted": True,
        "Suspended": False,
        "WorkersReady": are_ready and not is_over,
        "Progressing": state in {"Running", "Degraded"},
        "Degraded": state == "Degraded",
        "Complete": state == "Succeeded",
        "Failed": state == "Failed",
    }


def _figures(
    job: GossipTrainingJob, history: History, workers: list[WorkerHistory], *, is_over: bool
) -> dict[Metric, float | None]:
    told = [worker.newest for worker in workers if worker.newest and not worker.is_lost]
    goes = [told.samples_per_second for told in told] if not (is_over or history.stopping) else []
    tested = history.evaluations[-1] if history.evaluations else None
    standing = pace(history, job.spec.training.budget)
    interval = job.spec.resume_interval
    epochs = [record.epoch for record in told] + ([tested.epoch] if tested else [])
    return {
        jobs.PROGRESS: standing.fraction if standing else None,
        jobs.STEP: float(median(record.step for record in told)) if told else None,
        jobs.EPOCH: max(epochs, default=None),
        jobs.SAMPLE_RATE: sum(goes) if goes else None,
        jobs.LOSS: tested.loss if tested else None,
        jobs.ACCURACY: tested.accuracy if tested else None,
        jobs.CONSENSUS_DISTANCE: tested.consensus_distance if tested else None,
        jobs.ETA: standing.seconds_left if standing and not is_over else None,
        jobs.UPDATED: max((record.time for record in told), default=None),
        jobs.RESTARTS: float(len(history.replaced)),
        jobs.BEGAN: history.began_at,
        jobs.CHECKPOINT_INTERVAL: None if interval is None else interval.total_seconds(),
    }
