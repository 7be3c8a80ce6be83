"""The numbers that matter most: of one run, and of several beside each other. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_trainer.page.records import Table
from gossip_trainer.report.words import NOTHING, duration, number, share, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gossip_trainer.page.sources import RunLog
    from gossip_trainer.report.summary import Summary

Facts = tuple[tuple[str, str], ...]


def facts_of(summary: Summary) -> Facts:
    """Return name and value of what a run came to."""
    last, best = summary.last_evaluation, summary.best
    quality: list[tuple[str, str]] = []
    if last is not None:
        name = "final" if last.final else "last"
        if last.accuracy is not None:
            quality.append((f"{name} accuracy", share(last.accuracy)))
        quality.append((f"{name} loss", number(last.loss)))
        quality.append(("consensus distance", number(last.consensus_distance)))
    if best is not None and best.accuracy is not None:
        quality.append(("best accuracy", share(best.accuracy)))
    elif best is not None:
        quality.append(("best loss", number(best.loss)))
    if summary.target is not None:
        reached = summary.target.reached
        told = "not reached" if reached is None else f"{reached.seconds:.1f} s"
        quality.append((f"to {summary.target.metric} {summary.target.value:g}", told))
    return (*quality, *_amounts(summary))


def results_table(logs: Sequence[RunLog]) -> Table:
    """Return one row per run."""
    rows = [
        {
            "strategy": log.summary.strategy,
            "workers": f"{log.summary.num_workers:,}",
            "outcome": log.summary.outcome,
            **dict(facts_of(log.summary)),
        }
        for log in logs
    ]
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table(
        title="Results",
        columns=("run", *columns),
        rows=tuple(
            (log.label, *(row.get(name, NOTHING) for name in columns))
            for log, row in zip(logs, rows, strict=True)
        ),
    )


def workers_table(summary: Summary) -> Table:
    """Return one row per process."""
    columns = (
        "worker", "end", "steps", "steps/s", "samples", "exchanges", "lost", "skipped",
        "staleness", "received", "sent",
    )  # fmt: skip
    rows = tuple(
        (
            each.member,
            each.end,
            f"{each.steps:,}",
            number(each.steps_per_second),
            f"{each.samples:,}",
            f"{each.exchanges:,}",
            f"{each.exchanges_lost:,}",
            f"{each.exchanges_skipped:,}",
            NOTHING if each.mean_staleness is None else f"{each.mean_staleness:.1f}",
            size(each.received_bytes),
            size(each.sent_bytes),
        )
        for each in summary.workers
    )
    return Table(title="Workers", columns=columns, rows=rows)


def _amounts(summary: Summary) -> Facts:
    seconds, workers = summary.training_seconds, summary.workers
    steps = sum(each.steps for each in workers)
    exchanges = sum(each.exchanges for each in workers)
    received = sum(each.received_bytes for each in workers)
    return (
        ("time", duration(seconds) if seconds >= 60 else f"{seconds:.1f} s"),
        ("samples", f"{summary.job_samples:,}"),
        ("epochs", NOTHING if summary.epochs is None else f"{summary.epochs:.2f}"),
        ("steps, all workers", f"{steps:,}"),
        ("samples/s", f"{summary.job_samples / seconds:,.0f}" if seconds else NOTHING),
        ("exchanges", f"{exchanges:,}"),
        ("exchanges lost", f"{sum(each.exchanges_lost for each in workers):,}"),
        ("bytes received", size(received)),
    )
