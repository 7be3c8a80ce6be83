"""The table and the verdict that `gossip compare` prints. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gossip_trainer.compare.words import behind, interval, notes, reached, verdict_lines
from gossip_trainer.report.words import NOTHING, number, share, size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gossip_trainer.compare.report import Report
    from gossip_trainer.compare.summary import Standing

COLUMNS = (
    "seconds\nto target",
    "compared\nwith first",
    "samples\nto target",
    "steps per\nworker",
    "bytes per\nworker",
    "reached",
    "learning\nrate",
    "final\naccuracy",
    "consensus\ndistance",
)


def report_table(report: Report) -> RenderableType:
    """Return one row per size and strategy, soonest first, then the verdict in words."""
    table = Table(
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="dim",
        title=_title(report),
        title_justify="left",
    )
    table.add_column("workers", justify="right", vertical="bottom", no_wrap=True)
    table.add_column("strategy", vertical="bottom", overflow="fold")
    for name in COLUMNS:
        table.add_column(name, justify="right", vertical="bottom", no_wrap=True)
    for verdict in report.verdicts:
        gaps = {gap.rival.strategy: behind(gap) for gap in verdict.gaps}
        for place, standing in enumerate(verdict.standings):
            head = "" if place else f"{verdict.workers:,}"
            style = "bold" if standing is verdict.first else None
            table.add_row(
                head,
                standing.strategy,
                *_row(standing, gaps.get(standing.strategy, "")),
                style=style,
            )
        table.add_section()
    lines = [Text(line) for line in verdict_lines(report.verdicts, report.crossovers)]
    remarks = [Text(f"note: {line}", style="dim") for line in notes(report.best)]
    return Group(table, Text(), *lines, *([Text(), *remarks] if remarks else []))


def _title(report: Report) -> str:
    seeds = len({outcome.cell.seed for outcome in report.outcomes})
    clock = "virtual time" if report.mode == "simulated" else "this machine's time"
    means = f", means of {seeds} seeds ± 95 %" if seeds > 1 else ""
    return f"{report.job}: to {report.target.metric} {report.target.value:g}, {clock}{means}"


def _row(standing: Standing, compared: str) -> tuple[str, ...]:
    bytes_ = standing.received_bytes
    return (
        interval(standing.seconds),
        compared,
        NOTHING if standing.samples is None else f"{standing.samples.mean:,.0f}",
        NOTHING if standing.steps is None else f"{standing.steps.mean:,.1f}",
        NOTHING if bytes_ is None else size(bytes_.mean),
        reached(standing),
        f"{standing.learning_rate:g}",
        share(standing.accuracy.mean if standing.accuracy else None),
        number(standing.consensus_distance.mean if standing.consensus_distance else None),
    )
