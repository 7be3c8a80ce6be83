"""Draws who exchanged with whom as SVG. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_trainer.page.markup import add, node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from gossip_trainer.page.records import Matrix

CELL = (34.0, 10.0)  # at most, at least
SIDE = 480.0
LEFT, RIGHT, TOP = 104.0, 48.0, 84.0
SHADES = 5
WRITTEN = 26.0  # the size from which a cell shows its number
LABEL_APART = 14.0


def matrix_figure(matrix: Matrix) -> Element:
    """Return the picture: a row for each that asked, a column for each that was asked."""
    cell = max(CELL[1], min(CELL[0], SIDE / max(len(matrix.rows), len(matrix.columns))))
    width, height = cell * len(matrix.columns), cell * len(matrix.rows)
    svg = node(
        "svg",
        viewBox=f"0 0 {LEFT + width + RIGHT:g} {TOP + height + 8:g}",
        width=LEFT + width + RIGHT,
        class_="matrix",
        role="img",
        aria_label=f"{matrix.title}: {_in_words(matrix)}",
    )
    add(svg, _labels(matrix, cell))
    add(svg, _cells(matrix, cell))
    return node("figure", node("figcaption", node("h4", matrix.title), _in_words(matrix)), svg)


def _labels(matrix: Matrix, cell: float) -> Iterator[Element]:
    step = max(1, -(-int(LABEL_APART) // int(cell)))
    for place, name in enumerate(matrix.rows):
        if place % step == 0:
            y = TOP + cell * (place + 0.5) + 3.5
            yield node("text", name, x=LEFT - 8, y=y, text_anchor="end")
    for place, name in enumerate(matrix.columns):
        if place % step == 0:
            x, y = LEFT + cell * (place + 0.5) + 3.5, TOP - 8
            yield node("text", name, transform=f"translate({x:.1f} {y:.1f}) rotate(-60)")


def _cells(matrix: Matrix, cell: float) -> Iterator[Element]:
    most = max(map(max, matrix.counts))
    for row, counts in enumerate(matrix.counts):
        for column, count in enumerate(counts):
            x, y = LEFT + cell * column, TOP + cell * row
            shade = -(-SHADES * count // most)
            told = f"{matrix.rows[row]} with {matrix.columns[column]}: {count:,}"
            yield node(
                "rect",
                node("title", told),
                x=x + 0.5,
                y=y + 0.5,
                width=cell - 1,
                height=cell - 1,
                class_=f"cell h{shade}",
            )
            if count and cell >= WRITTEN:
                middle, base = x + cell / 2, y + cell / 2 + 3.5
                css = "count dark" if shade > SHADES // 2 else "count"
                text = f"{count:,}" if count < 10_000 else f"{count / 1000:.0f}k"
                yield node("text", text, x=middle, y=base, text_anchor="middle", class_=css)


def _in_words(matrix: Matrix) -> str:
    met = [
        (count, f"{row} with {column}")
        for row, counts in zip(matrix.rows, matrix.counts, strict=True)
        for column, count in zip(matrix.columns, counts, strict=True)
        if count
    ]
    most, pair = max(met)
    return f"{sum(count for count, _ in met):,} in all; most often {pair}, {most:,} times"
