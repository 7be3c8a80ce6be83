"""Alerts about how a job learns: its numbers, its exchanges, its evaluation, its speed.

Each holds only while the job trains, so that none outlives it in a window that looks back.
"""

from __future__ import annotations

from typing import Final

from gossip_api.metrics import processes
from gossip_monitoring.promql import PROCESS_START, select
from gossip_monitoring.rules.recording import (
    BY_JOB,
    BY_RANK,
    GOODPUT,
    LOST_EXCHANGES,
    ON_JOB,
    OWN_STEP_SECONDS,
    STALENESS_P95,
    TRAINING,
)
from gossip_monitoring.rules.rule import (
    DURATION,
    JOB,
    RANK,
    SHARE,
    VALUE,
    Alert,
    Group,
    Severity,
    lines,
)

DIVERGING_RATIO: Final = 0.5
"""Models half as far from their mean as the mean is from zero have little left in common: their
average is no model that any of them has trained."""
WEIGHT_FLOOR: Final = 0.001
"""A model is what was sent divided by the weight. Chance alone halves a weight ten times in a row
without one share coming in for moments, never for minutes."""
LOST_SHARE: Final = 0.1
"""A dead worker costs each of its peers one exchange before they leave it out; a tenth of all, for
minutes, is the network."""
STALE_STEPS: Final = 64
"""Momentum of 0.9 has forgotten after some twenty steps; a model three times as old pulls towards
where training was."""
EVALUATIONS_MISSED: Final = 5
SCRAPE_SECONDS: Final = 120
"""How old may be what Prometheus knows, beside which a short interval of evaluations is nothing."""
STRAGGLING_RATIO: Final = 2
"""Twice what the middle one of its peers needs is more than machines of one kind differ by."""
WAITING_STRATEGIES: Final = ("AllReduce", "LocalSGD")
"""Those in which a slow worker keeps others waiting."""
GOODPUT_FLOOR: Final = 0.5
"""More time spent on moving models and waiting than on training them."""


def while_training(expr: str) -> str:
    """Restrict an expression about jobs or their ranks to jobs that train."""
    return lines(f"({expr})", f"  and {ON_JOB} {TRAINING}")


_NONFINITE_STEPS = f"sum {BY_JOB} (increase({select(processes.NONFINITE)}[10m])) > 0"
# What is not a number equals nothing, itself included; before the first evaluation it is none.
_LOSS = select(processes.EVALUATED_LOSS)
_EVALUATED = f"sum {BY_JOB} ({select(processes.EVALUATIONS)}) > 0"
_LOSS_NONFINITE = Alert(
    "GossipLossNonFinite",
    Severity.CRITICAL,
    while_training(
        lines(
            _NONFINITE_STEPS,
            f"  or count {BY_JOB} ({_LOSS} != {_LOSS} or {_LOSS} == Inf) and {_EVALUATED}",
        )
    ),
    "0s",
    f"The loss of {JOB} is not a finite number.",
    "Training has diverged. The job ends with this unless training.nonFinite is Skip; then such "
    "steps are left out, and more and more of them are wasted.",
)
_DISTANCE = select(processes.RELATIVE_CONSENSUS_DISTANCE)
_CONSENSUS_DIVERGING = Alert(
    "GossipConsensusDiverging",
    Severity.WARNING,
    while_training(
        lines(
            f"max {BY_JOB} ({_DISTANCE}) > {DIVERGING_RATIO}",
            f"  and max {BY_JOB} (deriv({_DISTANCE}[30m])) > 0",
        )
    ),
    "15m",
    f"The workers' models of {JOB} drift apart.",
    f"Their distance from their mean is {SHARE} of the mean's norm, and grows.",
)
_WEIGHT_COLLAPSE = Alert(
    "GossipPushSumWeightCollapse",
    Severity.WARNING,
    while_training(
        f"max {BY_RANK} (max_over_time({select(processes.PUSH_SUM_WEIGHT)}[5m])) < {WEIGHT_FLOOR}"
    ),
    # What has just begun has had no five minutes.
    "5m",
    f"Worker {RANK} of {JOB} gives away its push-sum weight and gets none back.",
    f"Its weight was not above {VALUE} for minutes: hardly anything that others send reaches it, "
    "and its model becomes imprecise.",
)
_EXCHANGES_FAIL = Alert(
    "GossipExchangeFailuresHigh",
    Severity.WARNING,
    while_training(f"{LOST_EXCHANGES} > {LOST_SHARE}"),
    "10m",
    f"Many exchanges of {JOB} come to nothing.",
    f"{SHARE} of the exchanges begun were lost for ten minutes. Training goes on, with less in "
    "common.",
)
_STALENESS_HIGH = Alert(
    "GossipStalenessHigh",
    Severity.WARNING,
    while_training(f"{STALENESS_P95} > {STALE_STEPS}"),
    "15m",
    f"Workers of {JOB} take in old models.",
    f"One in twenty models taken in is at least {VALUE} steps older than the worker's own (256 "
    "stands for more, too).",
)
_LAST_EVALUATED = f"{select(processes.LAST_EVALUATION)} > 0"
_BORN = select(PROCESS_START, role="evaluator")
_EVALUATOR_SILENT = Alert(
    "GossipEvaluatorSilent",
    Severity.WARNING,
    while_training(
        lines(
            # Of two, while one takes the other's place, the one that does more.
            f"min {BY_JOB} (time() - ({_LAST_EVALUATED} or {_BORN}))",
            f"  > {SCRAPE_SECONDS} + {EVALUATIONS_MISSED} * "
            f"max {BY_JOB} ({select(processes.EVALUATION_INTERVAL)})",
        )
    ),
    "10m",
    f"The model of {JOB} is not evaluated any more.",
    f"The evaluator has tested nothing for {DURATION}, which is more than five of its intervals. "
    "Training goes on, but nobody can tell how well.",
)
_WORKERS_SEEN = f"count {BY_JOB} ({select(processes.INFO, role='worker')})"
_EVALUATORS_SEEN = f"count {BY_JOB} ({select(processes.INFO, role='evaluator')})"
_EVALUATOR_MISSING = Alert(
    "GossipEvaluatorMissing",
    Severity.WARNING,
    while_training(f"{_WORKERS_SEEN} unless {_EVALUATORS_SEEN}"),
    "15m",
    f"Job {JOB} has no evaluator.",
    "Workers are there, but no evaluator for a quarter of an hour. Training goes on, but nobody "
    "can tell how well, and without an evaluator there will be no result.",
)
_SLOW = lines(
    OWN_STEP_SECONDS,
    f"  > {ON_JOB} group_left () {STRAGGLING_RATIO} * quantile {BY_JOB} (0.5, {OWN_STEP_SECONDS})",
)
_WAITED_FOR = f"{ON_JOB} count {BY_JOB} ({select(processes.INFO, strategy=WAITING_STRATEGIES)})"
_SLOWNESS = (
    f"A step takes it {VALUE} s without waiting for others, more than twice as long as the middle "
    "one of its peers."
)
_STRAGGLER_WAITED_FOR = Alert(
    "GossipWorkerStraggling",
    Severity.WARNING,
    while_training(lines(_SLOW, f"  and {_WAITED_FOR}")),
    "15m",
    f"Worker {RANK} of {JOB} is slow.",
    f"{_SLOWNESS} The others wait for it.",
)
_STRAGGLER = Alert(
    "GossipWorkerStraggling",
    Severity.INFO,
    while_training(lines(_SLOW, f"  unless {_WAITED_FOR}")),
    "15m",
    f"Worker {RANK} of {JOB} is slow.",
    f"{_SLOWNESS} The others take in its older models, and wait only where a bound on the "
    "staleness makes them.",
)
_GOODPUT_LOW = Alert(
    "GossipGoodputLow",
    Severity.WARNING,
    while_training(f"{GOODPUT} < {GOODPUT_FLOOR}"),
    "30m",
    f"Workers of {JOB} spend most of their time not computing.",
    f"Only {SHARE} of the training threads' time went into computing for half an hour.",
)

GROUPS: Final = (
    Group(
        "gossip-training-learning",
        (
            _LOSS_NONFINITE,
            _CONSENSUS_DIVERGING,
            _WEIGHT_COLLAPSE,
            _EXCHANGES_FAIL,
            _STALENESS_HIGH,
            _EVALUATOR_SILENT,
            _EVALUATOR_MISSING,
            _STRAGGLER_WAITED_FOR,
            _STRAGGLER,
            _GOODPUT_LOW,
        ),
    ),
)
