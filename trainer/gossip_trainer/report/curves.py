"""Draws the curves of a run into one picture: whether it converges, and what a sample buys.

Uses matplotlib's objects, never pyplot, so that no state outlives a drawing and no display is
needed.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import (
    EngFormatter,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

from gossip_trainer.report.words import model_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from matplotlib.axes import Axes

    from gossip_trainer.observability.events import Evaluation, Progress
    from gossip_trainer.report.history import History

Abscissa = Literal["seconds", "job_samples"]
Metric = Literal["loss", "accuracy"]

AVERAGE = "#0b5394"
WORKER = "#e69138"
TRAINING = "#b7b7b7"
LOST = "#cc0000"
INK = "#333333"

X_LABELS: dict[Abscissa, str] = {
    "seconds": "seconds of training",
    "job_samples": "samples, all workers together",
}


def draw_curves(history: History, path: Path, title: str) -> None:
    """Write a PNG: loss and accuracy over time and over samples, consensus distance over time.

    Where there are no classes there is no accuracy.
    """
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(11.0, 9.6), dpi=110, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=14, fontweight="bold", color=INK)
    without_classes = any(told.accuracy is None for told in history.evaluations)
    rows = (_draw_loss,) if without_classes else (_draw_loss, _draw_accuracy)
    grid = figure.add_gridspec(len(rows) + 1, 2, height_ratios=(*(1.0 for _ in rows), 0.8))
    over: tuple[Abscissa, Abscissa] = ("seconds", "job_samples")
    for column, x in enumerate(over):
        for row, draw in enumerate(rows):
            draw(figure.add_subplot(grid[row, column]), history, x)
    _draw_consensus(figure.add_subplot(grid[-1, :]), history)
    handles = {
        label: line
        for axes in figure.axes
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False
        )
    with warnings.catch_warnings():
        # With a curve or two there may be no room for its labels; it is drawn all the same.
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        figure.savefig(path, format="png")


def _draw_loss(axes: Axes, history: History, x: Abscissa) -> None:
    _frame(axes, "loss", x)
    for worker in history.workers.values():
        points = [(_place(history, told, x), _number(told.loss)) for told in worker.progress]
        _line(axes, points, color=TRAINING, linewidth=0.8, label="training loss of a worker")
    _draw_evaluations(axes, history, "loss", x)
    _log_if_wide(axes)
    _finish(axes, history, x)


def _draw_accuracy(axes: Axes, history: History, x: Abscissa) -> None:
    _frame(axes, "accuracy on held-out data", x)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, decimals=None))
    _draw_evaluations(axes, history, "accuracy", x)
    _finish(axes, history, x)


def _draw_consensus(axes: Axes, history: History) -> None:
    title = "consensus distance: how far the workers' models are from their average"
    _frame(axes, title, "seconds")
    points = [(told.seconds, _number(told.consensus_distance)) for told in history.evaluations]
    # Workers that begin with one model have no place on a log scale.
    positive = [(x, y if y > 0 else math.nan) for x, y in points]
    apart = any(y > 0 for _, y in points)
    _line(axes, positive if apart else points, color=AVERAGE, linewidth=2.0, marker=".")
    if apart:
        _log_scale(axes)
    _finish(axes, history, "seconds")


def _draw_evaluations(axes: Axes, history: History, metric: Metric, x: Abscissa) -> None:
    for points in _worker_points(history.evaluations, metric, x).values():
        _line(axes, points, color=WORKER, linewidth=0.9, alpha=0.75, label="a worker's own model")
    average = [(getattr(told, x), _number(getattr(told, metric))) for told in history.evaluations]
    label = model_name(history.evaluations[-1].model) if history.evaluations else None
    _line(axes, average, color=AVERAGE, linewidth=2.4, marker=".", label=label)


def _worker_points(
    evaluations: Iterable[Evaluation], metric: Metric, x: Abscissa
) -> dict[str, list[tuple[float, float]]]:
    points: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for told in evaluations:
        for worker in told.workers:
            points[worker.member].append((getattr(told, x), _number(getattr(worker, metric))))
    return points


def _line(axes: Axes, points: list[tuple[float, float]], **style: Any) -> None:
    if any(math.isfinite(y) for _, y in points):
        # A single point makes no line; a marker shows it all the same.
        style = {"marker": ".", **style} if len(points) == 1 else style
        axes.plot(*zip(*points, strict=True), **style)


def _frame(axes: Axes, label: str, x: Abscissa) -> None:
    axes.set_title(label, fontsize=10, loc="left", color=INK)
    axes.set_xlabel(X_LABELS[x], fontsize=9, color=INK)
    axes.tick_params(labelsize=8, colors=INK)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if x == "job_samples":
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def _finish(axes: Axes, history: History, x: Abscissa) -> None:
    """Mark lost workers; say so where there is nothing to see."""
    if not axes.lines:
        axes.text(
            0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center", color=TRAINING
        )
        axes.set(xticks=[], yticks=[])
        return
    axes.set_xlim(left=0.0)
    if x == "seconds":
        for worker in history.workers.values():
            if worker.is_lost and worker.left:
                at = max(0.0, history.seconds_at(worker.left.time))
                axes.axvline(
                    at, color=LOST, linewidth=1.2, linestyle=(0, (4, 3)), label="a worker was lost"
                )
                axes.annotate(
                    worker.name,
                    (at, 1.0),
                    xycoords=axes.get_xaxis_transform(),
                    xytext=(2, -2),
                    textcoords="offset points",
                    va="top",
                    fontsize=7,
                    color=LOST,
                )


def _log_if_wide(axes: Axes) -> None:
    values = _heights(axes)
    if values and min(values) > 0 and max(values) > 20 * min(values):
        _log_scale(axes)


def _log_scale(axes: Axes) -> None:
    values = _heights(axes)
    axes.set_yscale("log")
    if max(values) > 10 * min(values):
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6))  # powers of ten would be too few
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _heights(axes: Axes) -> list[float]:
    drawn = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
    return [float(y) for ys in drawn for y in ys[np.isfinite(ys)]]


def _place(history: History, told: Progress, x: Abscissa) -> float:
    return told.job_samples if x == "job_samples" else history.seconds_at(told.time)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
