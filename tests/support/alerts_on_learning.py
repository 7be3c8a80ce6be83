"""Cases of the alerts about how jobs learn."""

from collections.abc import Mapping

from alert_case import (
    INF,
    JOB,
    NAN,
    TRAINS,
    Case,
    Series,
    Values,
    buckets,
    evaluator,
    info,
    rising,
    started,
    state,
    worker,
)

from gossip_api.metrics import processes


def exchanges(*, completed: float, lost: float, skipped: float = 0) -> Series:
    """Return a worker's exchanges per minute."""
    each = {"completed": completed, "lost": lost, "skipped": skipped}
    series: Series = {}
    for result, number in each.items():
        series |= worker(processes.EXCHANGES, rising(number), result=result)
    return series


def ages(each_minute: Mapping[float, float]) -> Series:
    """Return the ages of the models that a worker takes in."""
    return buckets(processes.STALENESS, each_minute, JOB | {"role": "worker", "rank": "0"})


def pace(*, steps: float, rank: str = "0", **seconds: float) -> Series:
    """Return what a worker does in a minute, and how long its phases take."""
    series = worker(processes.STEPS_TAKEN, rising(steps), rank=rank)
    for phase, spent in seconds.items():
        series |= worker(processes.PHASE_SECONDS, rising(spent), rank=rank, phase=phase)
    return series


def three(*, strategy: str, slow: Series) -> Series:
    """Return two workers that need a second for a step, and a third."""
    usual = pace(steps=30, compute=30, wait=30) | pace(steps=30, rank="1", compute=30, wait=30)
    return TRAINS | info(strategy=strategy) | usual | slow


def last_test(last: Values, *, every: float = 60, pod: str = "0", since: int = 0) -> Series:
    """Return an evaluator that began in that minute, and when it tested last."""
    begun = lambda value: lambda m: value(m) if m >= since else None  # noqa: E731
    return (
        evaluator(processes.LAST_EVALUATION, begun(last), pod=pod)
        | evaluator(processes.EVALUATION_INTERVAL, begun(lambda _: every), pod=pod)
        | started(begun(lambda _: 60 * since), role="evaluator", pod=pod)
    )


LOSS = (
    Case(
        title="steps have losses that are no numbers",
        alert="GossipLossNonFinite",
        series=TRAINS | worker(processes.NONFINITE, lambda m: max(0, 10 * (m - 19))),
        since=20,
        severity="critical",
    ),
    Case(
        title="one step has, ten minutes ago",
        alert="GossipLossNonFinite",
        series=TRAINS | worker(processes.NONFINITE, lambda m: 1 if m >= 20 else 0),
        since=20,
        until=30,
        severity="critical",
    ),
    Case(
        title="the tested model's loss is no number",
        alert="GossipLossNonFinite",
        series=TRAINS
        | evaluator(processes.EVALUATIONS, 1)
        | evaluator(processes.EVALUATED_LOSS, lambda m: 2.3 if m < 20 else NAN),
        since=20,
        severity="critical",
    ),
    Case(
        title="the tested model's loss is infinite",
        alert="GossipLossNonFinite",
        series=TRAINS
        | evaluator(processes.EVALUATIONS, 1)
        | evaluator(processes.EVALUATED_LOSS, lambda m: 2.3 if m < 20 else INF),
        since=20,
        severity="critical",
    ),
    Case(
        title="nothing was tested yet",
        alert="GossipLossNonFinite",
        series=TRAINS
        | evaluator(processes.EVALUATIONS, 0)
        | evaluator(processes.EVALUATED_LOSS, NAN),
    ),
    Case(
        title="the loss is huge",
        alert="GossipLossNonFinite",
        series=TRAINS
        | worker(processes.NONFINITE, 0)
        | evaluator(processes.EVALUATIONS, 1)
        | evaluator(processes.EVALUATED_LOSS, 1e30),
    ),
)
CONSENSUS = (
    Case(
        title="the models are far apart, and further every minute",
        alert="GossipConsensusDiverging",
        series=TRAINS | evaluator(processes.RELATIVE_CONSENSUS_DISTANCE, rising(0.02)),
        since=26,
        value="82%",
    ),
    Case(
        title="they are far apart, but come closer",
        alert="GossipConsensusDiverging",
        series=TRAINS | evaluator(processes.RELATIVE_CONSENSUS_DISTANCE, lambda m: 0.9 - 0.004 * m),
    ),
    Case(
        title="they drift apart, but are close",
        alert="GossipConsensusDiverging",
        series=TRAINS | evaluator(processes.RELATIVE_CONSENSUS_DISTANCE, rising(0.004)),
    ),
    Case(
        title="there is one worker",
        alert="GossipConsensusDiverging",
        series=TRAINS | evaluator(processes.RELATIVE_CONSENSUS_DISTANCE, 0),
    ),
)
WEIGHT = (
    Case(
        title="one worker's weight goes and does not come back",
        alert="GossipPushSumWeightCollapse",
        series=TRAINS
        | worker(processes.PUSH_SUM_WEIGHT, 1.9)
        | worker(processes.PUSH_SUM_WEIGHT, lambda m: 1 if m < 20 else 0.0009, rank="1"),
        since=25,
        labels=JOB | {"rank": "1"},
        value="0.0009",
    ),
    Case(
        title="it comes back every four minutes",
        alert="GossipPushSumWeightCollapse",
        series=TRAINS | worker(processes.PUSH_SUM_WEIGHT, lambda m: 0.5 if m % 4 == 0 else 0.0001),
    ),
    Case(
        title="it is small, and still of use",
        alert="GossipPushSumWeightCollapse",
        series=TRAINS | worker(processes.PUSH_SUM_WEIGHT, 0.0011),
    ),
    Case(
        title="the strategy has no weights",
        alert="GossipPushSumWeightCollapse",
        series=TRAINS | worker(processes.PUSH_SUM_WEIGHT, 1),
    ),
)
EXCHANGES = (
    Case(
        title="a fifth is lost",
        alert="GossipExchangeFailuresHigh",
        series=TRAINS | exchanges(completed=48, lost=12, skipped=600),
        since=1,
        value="20%",
    ),
    Case(
        title="a fifth is lost, and the job is deleted",
        alert="GossipExchangeFailuresHigh",
        series={name: lambda m, of=of: of(m) if m < 40 else None for name, of in TRAINS.items()}
        | exchanges(completed=48, lost=12),
        since=1,
        until=42,
        value="20%",
    ),
    Case(
        title="one in eleven is lost",
        alert="GossipExchangeFailuresHigh",
        series=TRAINS | exchanges(completed=60, lost=6),
    ),
    Case(
        title="the strategy has none",
        alert="GossipExchangeFailuresHigh",
        series=TRAINS | exchanges(completed=0, lost=0),
    ),
)
STALENESS = (
    Case(
        title="all models taken in are old",
        alert="GossipStalenessHigh",
        series=TRAINS | ages({128.0: 60}),
        since=1,
        value="125",
    ),
    Case(
        title="one in twenty-five is old",
        alert="GossipStalenessHigh",
        series=TRAINS | ages({4.0: 96, 128.0: 4}),
    ),
    Case(
        title="all are as old as is allowed",
        alert="GossipStalenessHigh",
        series=TRAINS | ages({64.0: 60}),
    ),
    Case(
        title="none is taken in",
        alert="GossipStalenessHigh",
        series=TRAINS | ages({}),
    ),
)
SILENT = (
    Case(
        title="the evaluator stops",
        alert="GossipEvaluatorSilent",
        series=TRAINS | last_test(lambda m: 60 * min(m, 20)),
        since=28,
        value="18m 0s",
    ),
    Case(
        title="the evaluator never finishes a test",
        alert="GossipEvaluatorSilent",
        series=TRAINS | last_test(lambda _: NAN),
        since=8,
        value="18m 0s",
    ),
    Case(
        title="tests are asked for every hour",
        alert="GossipEvaluatorSilent",
        series=TRAINS | last_test(lambda m: 3600 * (m // 60), every=3600),
    ),
    Case(
        title="tests are asked for more often than Prometheus looks",
        alert="GossipEvaluatorSilent",
        series=TRAINS | last_test(lambda m: 60 * m - 30, every=0.25),
    ),
    Case(
        title="another evaluator has taken over, and the old one is still there",
        alert="GossipEvaluatorSilent",
        series=TRAINS
        | last_test(lambda m: 60 * min(m, 20))
        | last_test(lambda m: 60 * m, pod="1", since=25),
    ),
    Case(
        title="training begins an hour after the evaluator",
        alert="GossipEvaluatorSilent",
        series=state(lambda m: "Starting" if m < 60 else "Running")
        | last_test(lambda m: NAN if m < 62 else 60 * m),
    ),
)
MISSING = (
    Case(
        title="workers are there, but no evaluator",
        alert="GossipEvaluatorMissing",
        series=TRAINS | info("worker"),
        since=0,
    ),
    Case(
        title="the evaluator is replaced in time",
        alert="GossipEvaluatorMissing",
        series=TRAINS
        | info("worker")
        | {name: lambda m: None if 20 <= m < 34 else 1 for name in info("evaluator")},
    ),
    Case(
        title="training has not begun",
        alert="GossipEvaluatorMissing",
        series=state(lambda _: "Starting") | info("worker"),
    ),
    Case(
        title="no process is seen, of which another alert speaks",
        alert="GossipEvaluatorMissing",
        series=TRAINS,
    ),
)
STRAGGLING = (
    Case(
        title="one of three needs three times as long, and the others wait",
        alert="GossipWorkerStraggling",
        series=three(strategy="AllReduce", slow=pace(steps=20, rank="2", compute=60)),
        since=1,
        labels=JOB | {"rank": "2"},
        value="3",
    ),
    Case(
        title="one of three needs three times as long, and the others do not wait",
        alert="GossipWorkerStraggling",
        series=three(strategy="Gossip", slow=pace(steps=20, rank="2", compute=60)),
        since=1,
        severity="info",
        labels=JOB | {"rank": "2"},
        value="3",
    ),
    Case(
        title="one of three needs twice as long",
        alert="GossipWorkerStraggling",
        series=three(strategy="Gossip", slow=pace(steps=30, rank="2", compute=60)),
    ),
    Case(
        title="one of three needs twice as long, and the others wait",
        alert="GossipWorkerStraggling",
        series=three(strategy="LocalSGD", slow=pace(steps=30, rank="2", compute=60)),
    ),
    Case(
        title="one of three spends its time waiting",
        alert="GossipWorkerStraggling",
        series=three(strategy="AllReduce", slow=pace(steps=10, rank="2", compute=10, wait=50)),
    ),
    Case(
        title="one of three takes no step, of which its restarts speak",
        alert="GossipWorkerStraggling",
        series=three(strategy="Gossip", slow=pace(steps=0, rank="2", compute=60)),
    ),
    Case(
        title="there is one worker",
        alert="GossipWorkerStraggling",
        series=TRAINS | info() | pace(steps=1, compute=60),
    ),
)
GOODPUT = (
    Case(
        title="two thirds of the time are spent waiting",
        alert="GossipGoodputLow",
        series=TRAINS | pace(steps=20, compute=20, wait=30, communicate=9, data=1),
        since=1,
        value="33.33%",
    ),
    Case(
        title="six tenths of the time are spent computing",
        alert="GossipGoodputLow",
        series=TRAINS | pace(steps=20, compute=36, wait=24),
    ),
    Case(
        title="nobody does anything",
        alert="GossipGoodputLow",
        series=TRAINS | pace(steps=0, compute=0, wait=0),
    ),
)

CASES = (
    *LOSS,
    *CONSENSUS,
    *WEIGHT,
    *EXCHANGES,
    *STALENESS,
    *SILENT,
    *MISSING,
    *STRAGGLING,
    *GOODPUT,
)
