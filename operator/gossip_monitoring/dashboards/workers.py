"""Rows of a job: how fast each worker is, and what it spends its time on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gossip_api.metrics import processes
from gossip_monitoring.dashboards.expressions import (
    CHOSEN_RANKS,
    JOB,
    RANK,
    described,
    growth,
    highest,
    named,
    of,
    part_of,
    rate,
    total,
)
from gossip_monitoring.dashboards.panel import COLUMNS, Heatmap, Lines, Panel, Query, Row, Unit
from gossip_monitoring.dashboards.recurring import HOW, NAME, WORKER, quantiles

if TYPE_CHECKING:
    from gossip_api.metrics.metric import Metric

_CPU: Final = "process_cpu_seconds_total"
_MEMORY: Final = "process_resident_memory_bytes"
_WORKERS: Final = 'role="worker"'


def _by_worker(metric: Metric) -> str:
    return highest(RANK, of(metric, within=CHOSEN_RANKS))


def workers() -> Row:
    """Show how fast each worker is."""
    within = CHOSEN_RANKS
    working = of(processes.PHASE_SECONDS, within=within, phase=_phases_but("wait"))
    steps = of(processes.STEPS_TAKEN, within=within)
    age = f"time() - {_by_worker(processes.LAST_STEP)}"
    nonfinite = growth(RANK, of(processes.NONFINITE, within=within))
    slow = (
        "Time per step without what was spent waiting for others: a slow machine stands out here, "
        "also where all wait for it."
    )

    def lines(title: str, text: str, unit: Unit, expr: str, look: Lines | None = None) -> Panel:
        return Panel(title, text, unit, (Query(expr, WORKER),), look or Lines())

    return Row(
        "Each worker",
        (
            lines("Steps per second", "Optimizer steps.", Unit.SHORT, rate(RANK, steps)),
            lines("Own time per step", slow, Unit.SECONDS, part_of(RANK, working, steps)),
            lines(
                "Training loss",
                "Mean loss of the last second or so. One that stays above the others trains on "
                "other data, or on an older model.",
                Unit.NONE,
                _by_worker(processes.LOSS),
            ),
            lines(
                "Time since the last step",
                "Saw teeth while it trains, a ramp while it hangs.",
                Unit.SECONDS,
                age,
            ),
            lines(
                "Steps without a finite loss",
                "Steps whose loss was not a finite number.",
                Unit.NONE,
                nonfinite,
                Lines(bars=True, stacked=True),
            ),
            Panel(
                "Duration of steps",
                "Half, nineteen of twenty and 99 of 100 steps of all workers took no longer, "
                "waiting for others included.",
                Unit.SECONDS,
                quantiles(processes.STEP_SECONDS, JOB, NAME),
                Lines(logarithmic=True),
            ),
            Panel(
                "Duration of steps: $job",
                "How many steps took how long. Two bands: two kinds of machines, or of steps.",
                Unit.SECONDS,
                (
                    Query(
                        growth(("le",), of(processes.STEP_SECONDS, part="bucket")),
                        "{{le}}",
                    ),
                ),
                Heatmap(),
                width=COLUMNS,
                repeat="job",
            ),
        ),
    )


def goodput() -> Row:
    """Show what the workers' time is spent on."""
    spent = of(processes.PHASE_SECONDS)
    computed = of(processes.PHASE_SECONDS, phase=processes.GOOD_PHASES)
    waited = of(processes.PHASE_SECONDS, within=CHOSEN_RANKS, phase="wait")
    phases = f"{rate(('phase',), spent)} / on () group_left () {rate((), spent)}"
    return Row(
        "Goodput",
        (
            Panel(
                "Goodput",
                "Share of the workers' time that goes into forward, backward and the optimizer.",
                Unit.RATIO,
                (Query(described(part_of(JOB, computed, spent)), HOW),),
                Lines(maximum=1),
                width=12,
            ),
            Panel(
                "Time that each worker waits for others",
                "Share of its time. The slowest one waits least.",
                Unit.RATIO,
                (
                    Query(
                        part_of(RANK, waited, of(processes.PHASE_SECONDS, within=CHOSEN_RANKS)),
                        WORKER,
                    ),
                ),
                Lines(maximum=1),
                width=12,
            ),
            Panel(
                "Time by phase: $job",
                "What the training threads spend their time on. data: a batch is fetched. compute: "
                "forward, backward and the optimizer. communicate: the model is published, others' "
                "are mixed in. wait: for others.",
                Unit.RATIO,
                (Query(phases, "{{phase}}"),),
                Lines(stacked=True, maximum=1),
                width=COLUMNS,
                repeat="job",
            ),
        ),
    )


def resources() -> Row:
    """Show what each worker uses of its machine."""
    processor = named(_CPU, _WORKERS, within=CHOSEN_RANKS)
    memory = named(_MEMORY, _WORKERS, within=CHOSEN_RANKS)
    return Row(
        "Resources",
        (
            Panel(
                "Processor time of each worker",
                "Cores in use. A value at the pod's limit is throttling.",
                Unit.NONE,
                (Query(rate(RANK, processor), WORKER),),
                width=12,
            ),
            Panel(
                "Memory of each worker",
                "Resident memory of the process.",
                Unit.BYTES,
                (Query(total(RANK, memory), WORKER),),
                width=12,
            ),
        ),
    )


def _phases_but(phase: str) -> tuple[str, ...]:
    return tuple(each for each in processes.PHASES if each != phase)
