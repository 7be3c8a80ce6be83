"""From a comparison of strategies to a page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gossip_trainer.compare.words import behind, interval, notes, reached, verdict_lines
from gossip_trainer.page.records import Chart, Page, Section, Series, Table
from gossip_trainer.page.run_page import CONSENSUS, HELD_OUT_ACCURACY, HELD_OUT_LOSS
from gossip_trainer.report.words import NOTHING, count, number, share, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gossip_trainer.compare.records import Point
    from gossip_trainer.compare.report import Report
    from gossip_trainer.compare.summary import Standing
    from gossip_trainer.compare.verdict import Verdict
    from gossip_trainer.page.records import Axis, Measure, Values

GRID = 300

COLUMNS = (
    "strategy", "workers", "seconds to target", "compared with first", "samples to target",
    "steps per worker", "bytes per worker", "reached", "learning rate", "final accuracy",
    "consensus distance",
)  # fmt: skip


def comparison_page(report: Report) -> Page:
    """Return the page: every strategy at its best learning rate, size by size."""
    styles = {
        name: place
        for place, name in enumerate(dict.fromkeys(each.strategy for each in report.best))
    }
    target = report.target
    clock = "virtual time" if report.mode == "simulated" else "this machine's time"
    return Page(
        title=f"{report.job}: which strategy reaches {target.metric} {target.value:g} soonest",
        lead=(
            *verdict_lines(report.verdicts, report.crossovers),
            f"Curves are means of the averaged model over the seeds, with their range, in {clock}.",
        ),
        warnings=tuple(notes(report.best)),
        sections=tuple(_section(report, verdict, styles) for verdict in report.verdicts),
        tables=(_table(report.verdicts),),
    )


def _section(report: Report, verdict: Verdict, styles: Mapping[str, int]) -> Section:
    def chart(title: str, measure: Measure, of: Callable[[Point], float | None]) -> Chart:
        curves = [_curve(each, of, styles[each.strategy]) for each in verdict.standings]
        metric = {HELD_OUT_LOSS: "loss", HELD_OUT_ACCURACY: "accuracy"}.get(title)
        return Chart(
            title=title,
            measure=measure,
            series=tuple(each for each in curves if each and np.isfinite(each.y).any()),
            target=report.target.value if metric == report.target.metric else None,
        )

    charts = (
        chart(HELD_OUT_LOSS, "number", lambda point: point.loss),
        chart(HELD_OUT_ACCURACY, "share", lambda point: point.accuracy),
        chart(CONSENSUS, "number", lambda point: point.consensus_distance),
    )
    return Section(
        title=count(verdict.workers, "worker"),
        charts=tuple(each for each in charts if each.series),
    )


def _curve(standing: Standing, of: Callable[[Point], float | None], style: int) -> Series | None:
    """Return mean and range while all seeds train."""
    told = [each.finding.points for each in standing.outcomes if each.finding]
    if not told:
        return None
    begin = max(points[0].seconds for points in told)
    end = min(points[-1].seconds for points in told)
    grid = np.linspace(begin, end, GRID) if end > begin else np.array([min(begin, end)])

    def mean(part: Callable[[Point], float]) -> Values:
        found: Values = np.stack([_at(grid, points, part) for points in told]).mean(axis=0)
        return found

    heights = np.stack([_at(grid, points, of) for points in told])
    x: dict[Axis, Values] = {
        "seconds": grid,
        "samples": mean(lambda point: point.samples),
        "bytes": mean(lambda point: point.received_bytes),
    }
    alone = len(told) == 1
    return Series(
        label=standing.strategy,
        style=style,
        x=x,
        y=heights.mean(axis=0),
        low=None if alone else heights.min(axis=0),
        high=None if alone else heights.max(axis=0),
    )


def _at(grid: Values, points: Sequence[Point], of: Callable[[Point], float | None]) -> Values:
    values = [np.nan if (value := of(point)) is None else value for point in points]
    heights: Values = np.interp(grid, [point.seconds for point in points], values)
    return heights


def _table(verdicts: Sequence[Verdict]) -> Table:
    rows = []
    for verdict in verdicts:
        gaps = {gap.rival.strategy: behind(gap) for gap in verdict.gaps}
        rows += [_row(each, gaps.get(each.strategy, "")) for each in verdict.standings]
    return Table(title="Results", columns=COLUMNS, rows=tuple(rows))


def _row(standing: Standing, compared: str) -> tuple[str, ...]:
    accuracy, consensus = standing.accuracy, standing.consensus_distance
    return (
        standing.strategy,
        f"{standing.workers:,}",
        interval(standing.seconds),
        compared,
        NOTHING if standing.samples is None else f"{standing.samples.mean:,.0f}",
        NOTHING if standing.steps is None else f"{standing.steps.mean:,.1f}",
        NOTHING if standing.received_bytes is None else size(standing.received_bytes.mean),
        reached(standing),
        f"{standing.learning_rate:g}",
        share(accuracy.mean if accuracy else None),
        number(consensus.mean if consensus else None),
    )
