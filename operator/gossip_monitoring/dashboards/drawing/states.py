"""Draws the newest values, tables, and states over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gossip_monitoring.dashboards.drawing.graphs import time_axis
from gossip_monitoring.dashboards.drawing.surface import FAINT, NAMED, TEXT, fitted
from gossip_monitoring.dashboards.drawing.words import written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gossip_monitoring.dashboards.drawing.answers import Series, Window
    from gossip_monitoring.dashboards.drawing.surface import Surface
    from gossip_monitoring.dashboards.panel import Number, Panel, Table, Timeline, Unit

_LINE: Final = 26
_SIZE: Final = 7.5
_HEAD: Final = "#6e9fff"


def draw_number(surface: Surface, found: Sequence[Series], look: Number, unit: Unit) -> None:
    """Write the newest value of each series, side by side or one below the other."""
    count = max(len(found), 1)
    beside = surface.width > 2 * surface.height
    wide = surface.width / count if beside else surface.width
    high = surface.height if beside else surface.height / count
    if not found:
        middle = surface.height / 2
        surface.write("No data", surface.width / 2, middle, colour=FAINT, anchor="center")
    for place, series in enumerate(found):
        x, y = (place * wide, 0.0) if beside else (0.0, place * high)
        text, colour = _told(series.newest, look, unit)
        size = min(20.0, high * 0.32, wide * 1.1 / max(len(text), 3))
        if count > 1:
            name = fitted(series.name, wide - 8, 7)
            surface.write(name, x + wide / 2, y + high * 0.2, size=7, colour=FAINT, anchor="center")
        middle = y + high * (0.62 if count > 1 else 0.45)
        surface.write(text, x + wide / 2, middle, size=size, colour=colour, anchor="center")


def _told(value: float, look: Number, unit: Unit) -> tuple[str, str]:
    if look.states:
        word, colour = list(look.states.items())[int(value)]
        return word, NAMED[colour]
    is_bad = look.red_above is not None and value >= look.red_above
    return written(value, unit), NAMED["red" if is_bad else "text"]


def draw_timeline(
    surface: Surface, found: Sequence[Series], look: Timeline, window: Window
) -> None:
    """Draw which state each series was in."""
    axes = surface.inner(left=150, right=12, top=4, bottom=26).axes()
    words = list(look.states.items())
    for place, series in enumerate(found):
        for start, end, value in _spells(series, window):
            word, colour = words[value]
            axes.barh(place, end - start, left=start, height=0.7, color=NAMED[colour], alpha=0.75)
            if (end - start) / (window.end - window.start) > 0.08:
                centre = (start + end) / 2
                axes.text(centre, place, word, size=7, color="#111217", ha="center", va="center")
    names = [fitted(series.name, 140, 7) for series in found]
    axes.set_yticks(range(len(found)), names, color=TEXT)
    axes.set_ylim(len(found) - 0.5, -0.5)
    time_axis(axes, window)


def _spells(series: Series, window: Window) -> Iterator[tuple[float, float, int]]:
    """Yield beginning, end and value of each stretch without a change or a gap."""
    begun, last, held = series.times[0], series.times[0], int(series.values[0])
    for time, value in zip(series.times, series.values, strict=True):
        if int(value) != held or time - last > 1.5 * window.step:
            yield begun, min(last + window.step, time), held
            begun, held = time, int(value)
        last = time
    yield begun, min(last + window.step, window.end), held


def draw_table(
    surface: Surface, panel: Panel, look: Table, found: Sequence[Sequence[Series]], window: Window
) -> None:
    """Write the newest values as a table."""
    heads = [*look.heads.values(), *(query.legend for query in panel.queries if query.legend)]
    rows = _rows(panel, look, found, window)
    lefts, widths = _columns(heads, rows, surface.width - 16)
    for head, left in zip(heads, lefts, strict=True):
        surface.write(head, left, 10, size=_SIZE, colour=_HEAD, bold=True)
    room = int((surface.height - 20) // _LINE)
    for line, row in enumerate(rows[:room]):
        y = 20 + _LINE * (line + 0.5)
        for head, left, width in zip(heads, lefts, widths, strict=True):
            text = row.get(head, "")
            colour = NAMED[look.states.get(text, "text")]
            surface.write(fitted(text, width, _SIZE), left, y, size=_SIZE, colour=colour)
    if not rows:
        middle = surface.height / 2
        surface.write("No data", surface.width / 2, middle, colour=FAINT, anchor="center")


def _columns(
    heads: Sequence[str], rows: Sequence[Mapping[str, str]], width: float
) -> tuple[list[float], list[float]]:
    """Share the width out by the longest text of each column."""
    lengths = [max(len(head), *(len(row.get(head, "")) for row in rows), 4) + 3 for head in heads]
    widths = [width * length / sum(lengths) for length in lengths]
    return [8 + sum(widths[:column]) for column in range(len(heads))], widths


def _rows(
    panel: Panel, look: Table, found: Sequence[Sequence[Series]], window: Window
) -> list[dict[str, str]]:
    """Merge the answers by the labels that all of them have."""
    everywhere = [label for label in look.heads if _in_all(label, found)]
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for query, answer in zip(panel.queries, found, strict=True):
        for series in answer:
            if series.times[-1] < window.end - window.step:
                continue
            row = rows.setdefault(tuple(series.labels[label] for label in everywhere), {})
            row |= _words(series.labels, look.heads)
            if query.legend:
                row[query.legend] = written(series.newest, query.unit or panel.unit)
    return [rows[key] for key in sorted(rows)]


def _in_all(label: str, found: Sequence[Sequence[Series]]) -> bool:
    return all(label in series.labels for answer in found for series in answer)


def _words(labels: Mapping[str, str], heads: Mapping[str, str]) -> dict[str, str]:
    return {head: labels[label] for label, head in heads.items() if label in labels}
