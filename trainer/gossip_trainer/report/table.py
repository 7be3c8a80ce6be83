"""The short table at the end of a run. Pure; it reads as well in a file as on a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gossip_trainer.report.words import (
    NOTHING,
    count,
    duration,
    model_name,
    number,
    quality,
    share,
    size,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from gossip_trainer.observability.events import WorkerModel
    from gossip_trainer.report.summary import Moment, Summary, TargetResult, WorkerTotals

# Two lines each, so that a table of 80 characters holds them.
COLUMNS = (
    "\nsteps",
    "steps\nper s",
    "ex-\nchanges",
    "\nlost",
    "\nskipped",
    "stale-\nness",
    "bytes\nin",
    "bytes\nout",
)

OUTCOME_STYLES = {"succeeded": "bold green", "failed": "bold red", "interrupted": "bold yellow"}


def final_table(summary: Summary, directory: str) -> RenderableType:
    """Return the table; `directory` is where the run's files lie."""
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    for name, value in _facts(summary):
        facts.add_row(name, value)
    facts.add_row("files", f"{directory}: {', '.join(summary.files)}")
    outcome = Text(f"{summary.job} {summary.outcome}", style=OUTCOME_STYLES[summary.outcome])
    outcome.append(f": {summary.reason}", style="not bold default")
    return Group(outcome, facts, _workers(summary)) if summary.workers else Group(outcome, facts)


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    yield "strategy", f"{summary.strategy}, {count(summary.num_workers, 'worker')}"
    yield "training", _training(summary)
    if last := summary.last_evaluation:
        yield (
            model_name(last.model),
            f"{quality(last.accuracy, last.loss)}, "
            f"consensus distance {number(last.consensus_distance)}"
            + ("" if last.final else " (before the end)"),
        )
        if last.workers:
            yield "workers' own", _range(last.workers)
    if best := summary.best:
        yield "best", f"{_best(best)} at {best.seconds:.1f} s"
    if summary.target:
        yield "target", _target(summary.target)
    for lost in summary.lost:
        yield "lost", f"{lost.member} at {lost.seconds:.1f} s: {lost.reason}"
    for new in summary.replaced:
        yield "replaced", f"{new.instead_of} by {new.member} at {new.seconds:.1f} s"


def _range(models: Sequence[WorkerModel]) -> str:
    accuracies = [model.accuracy for model in models if model.accuracy is not None]
    if accuracies:
        return f"accuracy {share(min(accuracies))} to {share(max(accuracies))}"
    losses = [math.inf if model.loss is None else model.loss for model in models]
    return f"loss {number(min(losses))} to {number(max(losses))}"


def _best(moment: Moment) -> str:
    if moment.accuracy is None:
        return f"loss {number(moment.loss)}"
    return f"accuracy {share(moment.accuracy)}"


def _training(summary: Summary) -> str:
    parts = [duration(summary.training_seconds), count(summary.job_samples, "sample")]
    if summary.epochs is not None:
        parts.append(f"{summary.epochs:.2f} epochs")
    if summary.overshoot_samples:
        parts.append(f"{summary.overshoot_samples:,} beyond the budget")
    return ", ".join(parts)


def _target(target: TargetResult) -> str:
    if target.reached is None:
        return f"{target.metric} {target.value:g} was not reached"
    reached = target.reached
    return (
        f"{target.metric} {target.value:g} reached at {reached.seconds:.1f} s, "
        f"{count(reached.job_samples, 'sample')}"
    )


def _workers(summary: Summary) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("\nworker", no_wrap=True)
    table.add_column("\nend", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for worker in summary.workers:
        table.add_row(*_row(worker))
    return table


def _row(worker: WorkerTotals) -> tuple[str, ...]:
    return (
        worker.member,
        worker.end,
        f"{worker.steps:,}",
        NOTHING if worker.steps_per_second is None else f"{worker.steps_per_second:.1f}",
        f"{worker.exchanges:,}",
        f"{worker.exchanges_lost:,}",
        f"{worker.exchanges_skipped:,}",
        NOTHING if worker.mean_staleness is None else f"{worker.mean_staleness:.1f}",
        size(worker.received_bytes),
        size(worker.sent_bytes),
    )
