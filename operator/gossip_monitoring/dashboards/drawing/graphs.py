"""Draws what runs over time, or over something else: lines, bars, curves, heatmaps."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, MultipleLocator, NullFormatter

from gossip_monitoring.dashboards.drawing.surface import FACE, FAINT, GRID, SERIES, fitted
from gossip_monitoring.dashboards.drawing.words import written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from gossip_monitoring.dashboards.drawing.answers import Series, Window
    from gossip_monitoring.dashboards.drawing.surface import Surface
    from gossip_monitoring.dashboards.panel import Curve, Lines, Unit

    Numbers = NDArray[np.float64]

LEGEND_LINE: Final = 15
_LEGEND_SIZE: Final = 7.0
_LEGEND_LINES: Final = 3
_TITLE_LINE: Final = 14
_TICKS: Final = (5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
_MOST_TICKS: Final = 6


def draw_lines(
    surface: Surface, found: Sequence[Series], look: Lines, unit: Unit, window: Window
) -> None:
    """Draw series over time."""
    grid = np.arange(window.start, window.end + window.step / 2, window.step)
    axes = _with_legend(surface, [series.name for series in found])
    below = np.zeros_like(grid)
    highest = 0.0
    for number, series in enumerate(found):
        y = _on(grid, series, window.step)
        colour = SERIES[number % len(SERIES)]
        top = below + y
        if look.bars:
            axes.bar(grid, np.nan_to_num(y), window.step, below, color=colour, alpha=0.8)
        else:
            axes.plot(grid, top, color=colour, linewidth=1)
        if look.stacked and not look.bars:
            there = np.isfinite(y)
            axes.fill_between(grid, below, top, there, color=colour, alpha=0.6, linewidth=0)
        highest = max(highest, float(np.nan_to_num(top).max()))
        below = np.where(np.isfinite(y), top, below) if look.stacked else below
    time_axis(axes, window)
    if look.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=6))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(0, look.maximum or 1.08 * highest or 1.0)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    _value_axis(axes, unit)


def draw_curve(
    surface: Surface, x: Sequence[Series], y: Sequence[Series], look: Curve, unit: Unit
) -> None:
    """Draw each series of `y` over the one of `x` that has the same labels."""
    axes = _with_legend(surface, [series.name for series in y], below=_TITLE_LINE)
    across = {tuple(one.labels.get(by, "") for by in look.by): one for one in x}
    for number, series in enumerate(y):
        partner = across.get(tuple(series.labels.get(by, "") for by in look.by))
        if partner is None:
            continue
        at = dict(zip(partner.times, partner.values, strict=True))
        points = [
            (at[time], value)
            for time, value in zip(series.times, series.values, strict=True)
            if time in at
        ]
        if points:
            axes.plot(*zip(*points, strict=True), color=SERIES[number % len(SERIES)], linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, look.x_unit)))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(look.x_title, size=7, color=FAINT)
    _value_axis(axes, unit)


def draw_heatmap(surface: Surface, found: Sequence[Series], unit: Unit, window: Window) -> None:
    """Draw how many observations fell between two bounds, over time."""
    axes = surface.inner(left=54, right=12, top=6, bottom=24).axes()
    grid = np.arange(window.start, window.end + window.step / 2, window.step)
    ordered = sorted(found, key=lambda series: float(series.labels["le"]))
    cumulated = [np.zeros_like(grid), *(_on(grid, series, window.step) for series in ordered)]
    between = np.nan_to_num(np.array([upper - lower for lower, upper in pairwise(cumulated)]))
    # Rates of neighbouring bounds are extrapolated each for itself: a difference may be below zero.
    cells = np.ma.masked_less_equal(between.clip(min=0.0), 1e-9)
    if cells.size:
        edges = np.append(grid, grid[-1] + window.step) - window.step / 2
        axes.pcolormesh(
            edges, np.arange(len(ordered) + 1), np.sqrt(cells), cmap="turbo", edgecolor=FACE
        )
    axes.set_yticks(
        np.arange(1, len(ordered) + 1),
        [_bound(float(series.labels["le"]), unit) for series in ordered],
    )
    time_axis(axes, window)


def _bound(value: float, unit: Unit) -> str:
    return "+Inf" if math.isinf(value) else written(value, unit)


def _with_legend(surface: Surface, names: Sequence[str], below: float = 0) -> Axes:
    """Make axes, and under them and so many pixels more a legend of up to three lines."""
    lines = _broken(names, surface.width - 16)
    room = LEGEND_LINE * len(lines)
    for number, line in enumerate(lines):
        x = 8.0
        y = surface.height - room + LEGEND_LINE * number + 4
        for place, name in line:
            surface.write("━", x, y, size=7, colour=SERIES[place % len(SERIES)], bold=True)
            surface.write(name, x + 14, y, size=_LEGEND_SIZE)
            x += _width(name)
    return surface.inner(left=54, right=12, top=6, bottom=24 + below + room).axes()


def _broken(names: Sequence[str], width: float) -> list[list[tuple[int, str]]]:
    lines: list[list[tuple[int, str]]] = [[]]
    used = 0.0
    for place, full in enumerate(names):
        name = fitted(full, width - 24, _LEGEND_SIZE)
        if lines[-1] and used + _width(name) > width:
            if len(lines) == _LEGEND_LINES:
                lines[-1].append((place, "…"))
                break
            lines.append([])
            used = 0.0
        lines[-1].append((place, name))
        used += _width(name)
    return lines if names else []


def _width(name: str) -> float:
    return 26 + len(name) * _LEGEND_SIZE * 0.82


def _on(grid: Numbers, series: Series, step: float) -> Numbers:
    """Put a series' values at their places on the grid; not a number where it has none."""
    values = np.full_like(grid, np.nan)
    places = np.rint((np.array(series.times) - grid[0]) / step).astype(int)
    values[places] = series.values
    values[~np.isfinite(values)] = np.nan
    return values


def time_axis(axes: Axes, window: Window) -> None:
    """Let the axis below be the time of day."""
    span = window.end - window.start
    between = next((step for step in _TICKS if span / step <= _MOST_TICKS), _TICKS[-1])
    form = "%H:%M:%S" if between < 60 else "%H:%M"
    axes.set_xlim(window.start, window.end)
    axes.xaxis.set_major_locator(MultipleLocator(between))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda time, _: datetime.fromtimestamp(time, UTC).strftime(form))
    )


def _value_axis(axes: Axes, unit: Unit) -> None:
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, unit)))
