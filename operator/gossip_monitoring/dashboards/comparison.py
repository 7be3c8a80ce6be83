"""Rows of the fleet: how much is trained, and which strategy gets how far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_api.metrics import jobs, processes
from gossip_monitoring.dashboards.expressions import (
    JOB,
    STRATEGY,
    described,
    growth,
    highest,
    known,
    of,
    of_unfinished_jobs,
    part_of,
    rate,
    total,
)
from gossip_monitoring.dashboards.panel import Curve, Lines, Panel, Query, Row, Unit
from gossip_monitoring.dashboards.recurring import FULL_HOW, FULL_NAME

if TYPE_CHECKING:
    from gossip_api.metrics.metric import Metric


def load() -> Row:
    """Show how much is trained."""
    desired, ready = (
        total((), of_unfinished_jobs(highest(JOB, of(jobs.WORKERS, state=state))))
        for state in ("desired", "ready")
    )
    return Row(
        "Load",
        (
            Panel(
                "Workers",
                "Workers asked for and workers that train, of jobs that are neither suspended nor "
                "over. A gap is capacity that is missing.",
                Unit.NONE,
                (Query(desired, "asked for"), Query(ready, "training")),
            ),
            Panel(
                "Samples per second",
                "Training samples per second of each job.",
                Unit.SHORT,
                (Query(known(jobs.SAMPLE_RATE), FULL_NAME),),
                Lines(stacked=True),
            ),
            Panel(
                "Restarts",
                "Processes that were started again, whatever their role.",
                Unit.NONE,
                (Query(growth(JOB, of(jobs.RESTARTS)), FULL_NAME),),
                Lines(bars=True, stacked=True),
            ),
        ),
    )


def _pair(name: str, metric: Metric, unit: Unit) -> tuple[Panel, Panel]:
    """Show a figure over time and over samples."""
    began, completed = known(jobs.BEGAN), known(jobs.COMPLETED)
    lasted = f"({completed} or time() + 0 * {began}) - {began}"
    samples = highest(JOB, of(processes.JOB_SAMPLES))

    def curve(over: str, text: str, x: str, look: Curve) -> Panel:
        queries = (Query(described(x)), Query(described(known(metric)), FULL_HOW))
        return Panel(f"{name} over {over}", text, unit, queries, look, width=6, height=9)

    return (
        curve(
            "training time",
            f"{name} on held-out data against the time since each job began to train, so that jobs "
            "that ran at different times compare.",
            lasted,
            Curve("Time since training began", Unit.SECONDS, STRATEGY),
        ),
        curve(
            "samples",
            f"{name} on held-out data against the training samples of all workers: what a strategy "
            "learns of the same data, however fast it is.",
            samples,
            Curve("Training samples", Unit.SHORT, STRATEGY),
        ),
    )


def compared() -> Row:
    """Show what each strategy reaches, and at what price."""
    spent = of(processes.PHASE_SECONDS)
    computed = of(processes.PHASE_SECONDS, phase=processes.GOOD_PHASES)
    received = rate(JOB, of(processes.BYTES, direction="received"))
    per_worker = f"{known(jobs.SAMPLE_RATE)} / {highest(JOB, of(jobs.WORKERS, state='ready'))}"

    def lines(title: str, description: str, unit: Unit, expr: str, look: Lines) -> Panel:
        return Panel(title, description, unit, (Query(described(expr), FULL_HOW),), look, width=6)

    return Row(
        "Strategies side by side",
        (
            *_pair("Loss", jobs.LOSS, Unit.NONE),
            *_pair("Accuracy", jobs.ACCURACY, Unit.RATIO),
            lines(
                "Samples per second and worker",
                "How fast one worker trains; what it waits for others is in it.",
                Unit.SHORT,
                per_worker,
                Lines(),
            ),
            lines(
                "Goodput",
                "Share of the workers' time that goes into forward, backward and the optimizer.",
                Unit.RATIO,
                part_of(JOB, computed, spent),
                Lines(maximum=1),
            ),
            lines(
                "Bytes received per sample",
                "Model bytes that workers receive for each training sample.",
                Unit.BYTES,
                f"{received} / {rate(JOB, of(processes.SAMPLES))}",
                Lines(),
            ),
            lines(
                "Consensus distance",
                "How far the workers' models are from their mean, by the mean's norm. Strategies "
                "that keep one model are near 0, as workers are read a step apart.",
                Unit.RATIO,
                highest(JOB, of(processes.RELATIVE_CONSENSUS_DISTANCE)),
                Lines(),
            ),
        ),
    )
