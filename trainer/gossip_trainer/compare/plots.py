"""Draws a comparison: the metric over time at every size, and what the target takes over sizes.

Uses matplotlib's objects, never pyplot, so that no state outlives a drawing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from gossip_trainer.compare.style import GRID, INK, PALE, Style, apart, styles
from gossip_trainer.compare.words import workers_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from gossip_trainer.compare.report import Report
    from gossip_trainer.compare.summary import Outcome, Standing

    Styles = Mapping[str, Style]

CURVES = "curves.png"
SCALING: Mapping[str, str] = {
    "seconds": "time-to-target.png",
    "samples": "samples-to-target.png",
}
POINTS_ACROSS = 400
PANEL_COLUMNS = 3
LABEL_APART = 0.05  # of the height of the axes
DODGE = 0.05  # of a decade at most, from the first strategy's mark at one size to the last one's
ROOM = 1.7  # factor above and below all means; wide intervals run out of the picture
DASHES = (0, (4, 3))
ACCURACIES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
MIN_ERROR = 1e-4


def draw_all(report: Report, directory: Path) -> None:
    """Write the three PNGs into the directory."""
    looks = styles([standing.strategy for standing in report.best])
    _curves(report, looks).savefig(directory / CURVES, format="png")
    for quantity, name in SCALING.items():
        _scaling(report, quantity, looks).savefig(directory / name, format="png")


def _figure(width: float, height: float, title: str) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure(figsize=(width, height), dpi=120, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12, fontweight="bold", color=INK, x=0.01, ha="left")
    return figure


def _frame(axes: Axes, x_label: str, title: str) -> None:
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.set_xlabel(x_label, fontsize=9, color=INK)
    axes.tick_params(labelsize=8, colors=INK)
    axes.grid(visible=True, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


# The metric over time


def _curves(report: Report, looks: Styles) -> Figure:
    sizes = [verdict.workers for verdict in report.verdicts]
    columns = min(PANEL_COLUMNS, len(sizes))
    rows = math.ceil(len(sizes) / columns)
    title = f"{report.job}: {report.target.metric} of the averaged model, mean and range of seeds"
    figure = _figure(max(7.5, 4.6 * columns), 0.9 + 3.4 * rows, title)
    for place, size in enumerate(sizes):
        axes = figure.add_subplot(rows, columns, place + 1)
        _frame(axes, _clock(report), f"{size} workers")
        for standing in report.best:
            if standing.workers == size:
                _draw_curve(axes, standing, report, looks[standing.strategy])
        axes.axhline(report.target.value, color=PALE, linewidth=0.9, linestyle=DASHES)
        axes.set_xlim(left=0.0)
        _metric_scale(axes, report)
    named = {line.get_label(): line for axes in figure.axes for line in axes.lines}
    shown = {name: named[name] for name in looks if name in named}
    figure.legend(
        shown.values(),
        shown.keys(),
        loc="outside lower left",
        ncols=4,
        frameon=False,
        fontsize=9,
        labelcolor="linecolor",
    )
    return figure


def _draw_curve(axes: Axes, standing: Standing, report: Report, look: Style) -> None:
    """Draw mean and range while all seeds train, and where each met the target."""
    told = (_series(each, report.target.metric) for each in standing.outcomes if each.finding)
    series = [(x, y) for x, y in told if len(x)]
    if series:
        begin, end = max(x[0] for x, _ in series), min(x[-1] for x, _ in series)
        grid = np.linspace(begin, end, POINTS_ACROSS)
        heights = np.stack([np.interp(grid, x, y) for x, y in series])
        low, high = heights.min(axis=0), heights.max(axis=0)
        axes.fill_between(grid, low, high, color=look.colour, alpha=0.15, linewidth=0)
        axes.plot(
            grid,
            heights.mean(axis=0),
            linewidth=1.8,
            color=look.colour,
            linestyle=look.line,
            label=standing.strategy,
        )
    axes.plot(
        standing.times,
        [report.target.value] * len(standing.times),
        linestyle="none",
        marker=look.marker,
        color=look.colour,
        markersize=6.5,
        markeredgecolor="white",
        markeredgewidth=0.7,
        zorder=5,
    )


def _series(outcome: Outcome, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return times and heights of one run, as far as its model was finite."""
    assert outcome.finding is not None
    places = [(each.seconds, getattr(each, metric)) for each in outcome.finding.points]
    known = np.array([place for place in places if place[1] is not None], dtype=float)
    return (known[:, 0], known[:, 1]) if len(known) else (known, known)


def _metric_scale(axes: Axes, report: Report) -> None:
    """Show accuracies as errors on a log scale, which spreads out what is near 1."""
    if report.target.metric == "loss":
        axes.set_yscale("log")
        return
    axes.set_yscale(
        "function",
        functions=(
            lambda accuracy: -np.log10(np.maximum(1.0 - accuracy, MIN_ERROR)),
            lambda height: 1.0 - 10.0**-height,
        ),
    )
    least_error = max(MIN_ERROR, 0.4 * (1.0 - report.target.value))
    axes.set_ylim(0.0, 1.0 - least_error)
    axes.yaxis.set_major_locator(FixedLocator([a for a in ACCURACIES if a <= 1.0 - least_error]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))


# What the target takes, over sizes


def _scaling(report: Report, quantity: str, looks: Styles) -> Figure:
    target = f"{report.target.metric} {report.target.value:g}"
    what = "time" if quantity == "seconds" else "samples"
    figure = _figure(8.6, 5.2, f"{report.job}: {what} to {target}")
    axes = figure.add_subplot()
    unit = _clock(report) if quantity == "seconds" else "samples of all workers"
    bounds = any(standing.seconds is None for standing in report.best)
    hollow = "; hollow: at least, as some seeds did not reach it" if bounds else ""
    _frame(axes, "workers", f"{unit}, with 95 % intervals{hollow}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    ends: dict[str, float] = {}
    for place, (name, look) in enumerate(looks.items()):
        dodge = 10 ** (DODGE * ((place + 0.5) / len(looks) - 0.5))
        standings = [standing for standing in report.best if standing.strategy == name]
        means = _draw_scaling(axes, standings, quantity, look, dodge)
        if means:
            ends[name] = means[-1]
    _scaling_axes(axes, report)
    if quantity == "seconds":
        _draw_ideal(axes, report)
        _mark_crossovers(axes, report)
    _label_ends(axes, ends, looks)
    return figure


def _draw_scaling(
    axes: Axes, standings: Sequence[Standing], quantity: str, look: Style, dodge: float
) -> list[float]:
    """Draw one strategy's line; return its heights."""
    places = [(each.workers * dodge, *_value(each, quantity)) for each in standings]
    shown = [(x, mean, margin) for x, mean, margin in places if mean is not None and mean > 0]
    axes.plot(
        [x for x, _, _ in shown],
        [mean for _, mean, _ in shown],
        color=look.colour,
        linestyle=look.line,
        linewidth=1.6,
    )
    for x, mean, margin in shown:
        axes.plot(
            [x],
            [mean],
            marker=look.marker,
            markersize=6.5,
            color=look.colour,
            markerfacecolor="white" if margin is None else look.colour,
            zorder=5,
        )
        if margin:
            low = max(mean - margin, mean / 1000)
            axes.vlines(x, low, mean + margin, colors=look.colour, linewidth=1.2)
    return [mean for _, mean, _ in shown]


def _value(standing: Standing, quantity: str) -> tuple[float | None, float | None]:
    """Return mean and margin (0 for one seed); the margin is None where it is a lower bound."""
    known = standing.seconds if quantity == "seconds" else standing.samples
    if known is not None:
        return known.mean, known.margin or 0.0
    spent = [each.reached or each.final for each in standing.outcomes]
    values = [getattr(each, quantity) for each in spent if each is not None]
    return (sum(values) / len(values), None) if len(values) == len(spent) else (None, None)


def _scaling_axes(axes: Axes, report: Report) -> None:
    sizes = [verdict.workers for verdict in report.verdicts]
    axes.set_xlim(sizes[0] / 1.15, sizes[-1] * 1.15)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    heights = [float(y) for line in axes.lines for y in np.asarray(line.get_ydata(), dtype=float)]
    if heights:
        axes.set_ylim(min(heights) / ROOM, max(heights) * ROOM)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_ideal(axes: Axes, report: Report) -> None:
    """Draw how time would fall if twice the workers took half of it, from the first on."""
    smallest, sizes = report.verdicts[0], [verdict.workers for verdict in report.verdicts]
    if len(sizes) == 1 or smallest.first is None or smallest.first.seconds is None:
        return
    times = [smallest.first.seconds.mean * sizes[0] / size for size in sizes]
    axes.plot(sizes, times, color=PALE, linewidth=1.0, linestyle=":", zorder=0)
    axes.annotate(
        "ideal",
        (sizes[1], times[1]),
        xytext=(-4, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8,
        color=PALE,
        annotation_clip=True,
    )


def _mark_crossovers(axes: Axes, report: Report) -> None:
    for crossover in report.crossovers:
        if crossover.at is None:
            continue
        axes.axvline(crossover.at, color=PALE, linewidth=1.0, linestyle=DASHES, zorder=0)
        text = f"{crossover.before}\nto {crossover.after}\nat {workers_number(crossover.at)}"
        axes.annotate(
            text if crossover.is_certain else f"{text}\n(within noise)",
            (crossover.at, 1.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(4, -3),
            textcoords="offset points",
            va="top",
            fontsize=8,
            color=INK if crossover.is_certain else PALE,
        )


def _label_ends(axes: Axes, ends: Mapping[str, float], looks: Styles) -> None:
    """Write every strategy's name where its line ends, moved apart where they would touch."""
    low, high = (math.log(limit) for limit in axes.get_ylim())
    wanted = sorted(((math.log(y) - low) / (high - low), name) for name, y in ends.items())
    heights = apart([height for height, _ in wanted], LABEL_APART)
    for (_, name), height in zip(wanted, heights, strict=True):
        axes.text(
            1.01,
            height,
            name,
            transform=axes.transAxes,
            color=looks[name].colour,
            fontsize=9,
            fontweight="bold",
            va="center",
        )


def _clock(report: Report) -> str:
    return "virtual seconds" if report.mode == "simulated" else "seconds"
