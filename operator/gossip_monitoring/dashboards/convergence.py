"""Rows of a job: does it learn, and how far has it come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_api.metrics import jobs, processes
from gossip_monitoring.dashboards.choices import STATES
from gossip_monitoring.dashboards.expressions import (
    JOB,
    RANK,
    STRATEGY,
    described,
    gathered,
    growth,
    highest,
    known,
    numbered,
    of,
    rate,
)
from gossip_monitoring.dashboards.panel import (
    COLUMNS,
    Curve,
    Lines,
    Panel,
    Query,
    Row,
    Timeline,
    Unit,
)
from gossip_monitoring.dashboards.recurring import HOW, NAME, quantiles

if TYPE_CHECKING:
    from gossip_api.metrics.metric import Metric


def _spread(metric: Metric) -> tuple[Query, ...]:
    """Ask for the lowest, the middle and the highest of a job's workers."""
    each = highest(RANK, of(metric))
    aggregations = {"lowest": "min", "middle": "quantile 0.5", "highest": "max"}
    return tuple(
        Query(gathered(how, JOB, each), f"{NAME} {word}") for word, how in aggregations.items()
    )


def convergence() -> Row:
    """Show whether the job learns."""
    samples = described(highest(JOB, of(processes.JOB_SAMPLES)))

    def pair(name: str, metric: Metric, unit: Unit, text: str) -> tuple[Panel, Panel]:
        expr = described(known(metric))
        over_time = Panel(f"{name} over time", text, unit, (Query(expr, HOW),), width=6)
        over_samples = Panel(
            f"{name} over samples",
            f"{text} Against the training samples of all workers, so that it compares with other "
            "strategies whatever their speed.",
            unit,
            (Query(samples), Query(expr, HOW)),
            Curve("Training samples", Unit.SHORT, STRATEGY),
            width=6,
        )
        return over_time, over_samples

    return Row(
        "Convergence",
        (
            *pair(
                "Loss",
                jobs.LOSS,
                Unit.NONE,
                "Loss on held-out data of the workers' average, or of the centre or server.",
            ),
            *pair("Accuracy", jobs.ACCURACY, Unit.RATIO, "Accuracy on held-out data."),
            Panel(
                "Training loss",
                "Mean loss of the last second or so on what the workers train on: the lowest, the "
                "middle and the highest of them. Falls while the held-out loss rises: overfitting.",
                Unit.NONE,
                _spread(processes.LOSS),
            ),
            Panel(
                "Gradient norm",
                "Norm of a recent gradient: the lowest, the middle and the highest of the workers. "
                "Grows without bound before a loss becomes infinite.",
                Unit.SHORT,
                _spread(processes.GRADIENT_NORM),
                Lines(logarithmic=True),
            ),
            Panel(
                "Learning rate",
                "The highest of the workers'. They agree while they know the same progress.",
                Unit.NONE,
                (Query(highest(JOB, of(processes.LEARNING_RATE)), NAME),),
            ),
        ),
    )


def progress() -> Row:
    """Show how far the job has come."""
    return Row(
        "Progress",
        (
            Panel(
                "State",
                "When the job was in which state.",
                Unit.NONE,
                (Query(numbered(jobs.STATE, "state"), NAME),),
                Timeline(STATES),
                width=COLUMNS,
                height=4,
            ),
            Panel(
                "Samples per second",
                "Training samples per second of all workers together, as Prometheus counts them.",
                Unit.SHORT,
                (Query(described(rate(JOB, of(processes.SAMPLES))), HOW),),
            ),
            Panel(
                "Steps of the workers",
                "The lowest, the middle and the highest step. How far they may be apart depends on "
                "the strategy: not at all with AllReduce, without bound with gossip.",
                Unit.SHORT,
                _spread(processes.STEP),
            ),
            Panel(
                "Epochs",
                "Job-wide passes over the training set.",
                Unit.NONE,
                (Query(known(jobs.EPOCH), NAME),),
            ),
            Panel(
                "Evaluations",
                "Tests of the job's model on held-out data.",
                Unit.NONE,
                (Query(growth(JOB, of(processes.EVALUATIONS)), NAME),),
                Lines(bars=True, stacked=True),
            ),
            Panel(
                "Duration of evaluations",
                "Half, nineteen of twenty and 99 of 100 took no longer to read the workers' models "
                "and to test their average.",
                Unit.SECONDS,
                quantiles(processes.EVALUATION_SECONDS, JOB, NAME),
                Lines(logarithmic=True),
            ),
            Panel(
                "Time since the last evaluation",
                "How old the held-out loss and accuracy are, and the interval that the job asks "
                "for.",
                Unit.SECONDS,
                (
                    Query(f"time() - {highest(JOB, of(processes.LAST_EVALUATION))}", NAME),
                    Query(highest(JOB, of(processes.EVALUATION_INTERVAL)), f"{NAME} interval"),
                ),
            ),
        ),
    )
