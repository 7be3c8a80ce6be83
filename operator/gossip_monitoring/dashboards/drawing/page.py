"""Puts a whole dashboard onto one figure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

from gossip_monitoring.dashboards.document import places
from gossip_monitoring.dashboards.drawing.graphs import draw_curve, draw_heatmap, draw_lines
from gossip_monitoring.dashboards.drawing.states import draw_number, draw_table, draw_timeline
from gossip_monitoring.dashboards.drawing.surface import BACKGROUND, DPI, FAINT, Surface, fitted
from gossip_monitoring.dashboards.panel import (
    COLUMNS,
    Curve,
    Heatmap,
    Lines,
    Number,
    Table,
    Timeline,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gossip_monitoring.dashboards.drawing.answers import Window
    from gossip_monitoring.dashboards.panel import Dashboard, Panel, Row

WIDTH: Final = 1440
CELL_HEIGHT: Final = 30
GAP: Final = 8
_HEAD: Final = 70
_HEADING: Final = 34
_TITLE: Final = 24


def draw(dashboard: Dashboard, window: Window) -> Figure:
    """Draw what a dashboard shows in a time range; rows that are collapsed stay so.

    Raises:
        OSError: Prometheus does not answer, or refuses a query.

    """
    rows = [(row, list(_repeated(row.panels, window))) for row in dashboard.rows]
    heights = [_HEADING + (0 if row.collapsed else _height(shown)) for row, shown in rows]
    high = _HEAD + sum(heights) + GAP
    figure = Figure(figsize=(WIDTH / DPI, high / DPI), dpi=DPI, facecolor=BACKGROUND)
    page = Surface(figure, GAP, 0, WIDTH - 2 * GAP, high)
    _head(page, dashboard, window)
    top = _HEAD
    for (row, shown), height in zip(rows, heights, strict=True):
        _row(page.inner(top=top), row, shown)
        top += height
    return figure


def _head(page: Surface, dashboard: Dashboard, window: Window) -> None:
    page.write(dashboard.title, 8, 20, size=13, bold=True)
    choices = [f"{each.label}: {_chosen(window, each.name)}" for each in dashboard.variables]
    page.write("     ".join(["Data source: prometheus", *choices]), 8, 48, size=9, colour=FAINT)


def _chosen(window: Window, name: str) -> str:
    value = window.values[name]
    if isinstance(value, str):
        return "All" if value in {".+", ".*"} else value
    return " + ".join(value)


def _row(page: Surface, row: Row, shown: Sequence[tuple[Panel, Window]]) -> None:
    count = f"   ({len(row.panels)} panels)" if row.collapsed else ""
    page.write(f"{'▸' if row.collapsed else '▾'}  {row.title}{count}", 8, 17, size=10, bold=True)
    if row.collapsed:
        return
    wide = page.width / COLUMNS
    corners = places([panel for panel, _ in shown], 0)
    for (panel, window), (left, top) in zip(shown, corners, strict=True):
        surface = Surface(
            page.figure,
            page.left + left * wide + GAP / 2,
            page.top + _HEADING + top * CELL_HEIGHT,
            panel.width * wide - GAP,
            panel.height * CELL_HEIGHT - GAP,
        )
        _panel(surface, panel, window)


def _panel(surface: Surface, panel: Panel, window: Window) -> None:
    surface.frame()
    title = fitted(window.fill(panel.title), surface.width - 16, 8.5)
    surface.write(title, 8, 13, size=8.5, bold=True)
    inside = surface.inner(top=_TITLE)
    found = [window.ask(query) for query in panel.queries]
    together = [series for answer in found for series in answer]
    now = [series for series in together if series.times[-1] >= window.end - window.step]
    match panel.look:
        case Lines():
            draw_lines(inside, together, panel.look, panel.unit, window)
        case Number():
            draw_number(inside, now, panel.look, panel.unit)
        case Timeline():
            draw_timeline(inside, together, panel.look, window)
        case Table():
            draw_table(inside, panel, panel.look, found, window)
        case Heatmap():
            draw_heatmap(inside, together, panel.unit, window)
        case Curve():
            draw_curve(inside, found[0], found[1], panel.look, panel.unit)


def _repeated(panels: Sequence[Panel], window: Window) -> Iterator[tuple[Panel, Window]]:
    """Yield the panels as Grafana does, some once for each value of a variable."""
    for panel in panels:
        chosen = window.values.get(panel.repeat, ())
        if isinstance(chosen, str) or not panel.repeat:
            yield panel, window
            continue
        for value in chosen:
            width = COLUMNS // min(len(chosen), 3)
            scoped = replace(window, values={**window.values, panel.repeat: value})
            yield replace(panel, width=width), scoped


def _height(shown: Sequence[tuple[Panel, Window]]) -> int:
    panels = [panel for panel, _ in shown]
    tops = (top for _, top in places(panels, 0))
    return CELL_HEIGHT * max(top + panel.height for top, panel in zip(tops, panels, strict=True))
