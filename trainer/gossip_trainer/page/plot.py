"""Draws a chart as SVG, once for every axis and scale, so that switching needs no script. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gossip_trainer.page.markup import add, data, node
from gossip_trainer.page.records import AXES, Axis
from gossip_trainer.page.sampling import thinned
from gossip_trainer.page.scale import LARGEST, Kind, Scale, fit
from gossip_trainer.page.words import AXIS_TITLES, measure, on_axis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from gossip_trainer.page.records import Chart, Series, Values

WIDTH, HEIGHT = 560.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 16.0, 12.0, 44.0
MOST_POINTS = 4000  # of all curves of a chart together, a range's two ends included
POINTS = (40, 300)  # of one curve: at least, at most
COLOURS = 7
SCALES = ("linear", "log")


@dataclass(frozen=True, slots=True)
class _Frame:
    """One way to draw a chart."""

    axis: Axis
    x: Scale
    y: Scale

    def across(self, values: Values) -> Values:
        return LEFT + self.x.place(values) * (WIDTH - LEFT - RIGHT)

    def up(self, values: Values) -> Values:
        return HEIGHT - BOTTOM - self.y.place(values) * (HEIGHT - TOP - BOTTOM)


def chart_figure(chart: Chart, number: int) -> Element:
    """Return the chart with its legend; `number` tells it from the page's other charts."""
    lines = sum(1 if each.low is None else 3 for each in chart.series)
    most = int(np.clip(MOST_POINTS // lines, *POINTS))
    chart = replace(chart, series=tuple(thinned(each, most) for each in chart.series))
    drawn = [svg for axis in AXES for scale in SCALES if (svg := _variant(chart, axis, scale))]
    return node(
        "figure",
        node("figcaption", node("h3", chart.title), _legend(chart, number)),
        *drawn,
        node("output", class_="readout", aria_live="polite"),
        data(_points(chart), class_="points"),
        class_="chart",
    )


def _variant(chart: Chart, axis: Axis, scale: str) -> Element | None:
    frame = _frame(chart, axis, scale)
    if frame is None:
        return None
    label = f"{chart.title} over {AXIS_TITLES[axis]}, {scale} scale: {_in_words(chart)}"
    svg = node(
        "svg",
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        class_=f"variant {axis} {scale}",
        role="img",
        tabindex="0",
        aria_label=label,
        data_axis=axis,
        data_x=f"{frame.x.low:.8g} {frame.x.high:.8g}",
        data_y=f"{frame.y.low:.8g} {frame.y.high:.8g}",
        data_kind=frame.y.kind,
        data_box=f"{LEFT:g} {TOP:g} {WIDTH - LEFT - RIGHT:g} {HEIGHT - TOP - BOTTOM:g}",
    )
    add(svg, _axes(chart, frame))
    if chart.target is not None:
        add(svg, _target(chart.target, chart, frame))
    for place, series in enumerate(chart.series):
        add(svg, [_curve(series, frame, place)])
    return add(svg, [node("g", class_="cursor")])


def _frame(chart: Chart, axis: Axis, scale: str) -> _Frame | None:
    kind: Kind = "linear" if scale == "linear" else "error" if chart.measure == "share" else "log"
    heights = [part for each in chart.series for part in (each.y, each.low, each.high)]
    told = np.concatenate([part for part in heights if part is not None])
    if chart.target is not None:
        told = np.append(told, chart.target)
    y = fit(kind, told, from_zero=kind == "linear" and chart.measure == "number")
    x = fit("linear", np.concatenate([each.x[axis] for each in chart.series]), from_zero=True)
    return _Frame(axis, x, y) if x and y else None


def _axes(chart: Chart, frame: _Frame) -> Iterator[Element]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value in frame.y.ticks():
        y = float(frame.up(np.array([value]))[0])
        yield node("path", d=f"M{LEFT:g} {y:.1f}H{right:g}", class_="grid")
        text = measure(chart.measure, value)
        yield node("text", text, x=LEFT - 6, y=y + 3.5, text_anchor="end")
    for value in frame.x.ticks():
        x = float(frame.across(np.array([value]))[0])
        yield node("path", d=f"M{x:.1f} {bottom:g}v4", class_="tick")
        text = on_axis(frame.axis, value)
        yield node("text", text, x=x, y=bottom + 17, text_anchor="middle")
    yield node("path", d=f"M{LEFT:g} {bottom:g}H{right:g}", class_="axis")
    title, middle = AXIS_TITLES[frame.axis], (LEFT + right) / 2
    yield node("text", title, x=middle, y=HEIGHT - 8, text_anchor="middle", class_="title")


def _target(target: float, chart: Chart, frame: _Frame) -> Iterator[Element]:
    y = float(frame.up(np.array([target]))[0])
    if np.isfinite(y):
        yield node("path", d=f"M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}", class_="target")
        text = f"target {measure(chart.measure, target)}"
        yield node("text", text, x=WIDTH - RIGHT - 4, y=y - 4, text_anchor="end", class_="title")


def _curve(series: Series, frame: _Frame, place: int) -> Element:
    group = node("g", class_=f"series s{place} {style_class(series.style)}")
    x = frame.across(series.x[frame.axis])
    if series.low is not None and series.high is not None:
        band = _band(x, frame.up(series.low), frame.up(series.high))
        add(group, [node("path", d=band, class_="band")])
    y = frame.up(series.y)
    if (np.isfinite(x) & np.isfinite(y)).sum() == 1:
        spot = int(np.flatnonzero(np.isfinite(x) & np.isfinite(y))[0])
        return add(group, [node("circle", cx=float(x[spot]), cy=float(y[spot]), r=3.0)])
    return add(group, [node("path", d=_line(x, y), class_="line")])


def _line(x: Values, y: Values) -> str:
    """Return a path through the points; what is not finite is a gap."""
    parts, pen = [], "M"
    for across, up in zip(x.tolist(), y.tolist(), strict=True):
        if np.isfinite(across + up):
            parts.append(f"{pen}{across:.1f} {up:.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(parts)


def _band(x: Values, low: Values, high: Values) -> str:
    known = np.isfinite(x + low + high)
    there = [f"{a:.1f} {b:.1f}" for a, b in zip(x[known], low[known], strict=True)]
    back = [f"{a:.1f} {b:.1f}" for a, b in zip(x[known], high[known], strict=True)]
    return f"M{'L'.join(there + back[::-1])}Z" if there else ""


def style_class(style: int) -> str:
    """Return the classes of a curve's colour and, beyond the palette, of its dashes."""
    return f"c{style % COLOURS} d{style // COLOURS % 3}"


def _legend(chart: Chart, number: int) -> Element:
    """Return a box to tick for every curve."""
    return node(
        "div",
        *(
            node(
                "label",
                node("input", type="checkbox", checked=True, class_=f"t{place}", name=f"{number}"),
                _swatch(series.style),
                series.label,
            )
            for place, series in enumerate(chart.series)
        ),
        class_="legend",
    )


def _swatch(style: int) -> Element:
    line = node("path", d="M1 5H23", class_="line")
    return node(
        "svg", line, viewBox="0 0 24 10", class_=f"swatch {style_class(style)}", aria_hidden="true"
    )


def _points(chart: Chart) -> list[dict[str, object]]:
    """Return what the script reads values from."""
    return [
        {
            "label": series.label,
            "style": style_class(series.style),
            "share": chart.measure == "share",
            "x": {axis: _short(series.x[axis]) for axis in AXES},
            "y": _short(series.y),
        }
        for series in chart.series
    ]


def _short(values: Values) -> list[float | None]:
    return [float(f"{value:.5g}") if abs(value) < LARGEST else None for value in values]


def _in_words(chart: Chart) -> str:
    told = []
    for series in chart.series[:8]:
        known = series.y[np.isfinite(series.y)]
        if known.size:
            first, last = (measure(chart.measure, float(known[at])) for at in (0, -1))
            told.append(f"{series.label} from {first} to {last}")
    return "; ".join(told)
