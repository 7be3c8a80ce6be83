"""How strategies look in pictures, and labels that do not touch. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Told apart with every kind of colour vision: Okabe and Ito, Color Universal Design, 2008, their
# yellow left out, which is too pale for lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
LINES = ("-", "--", ":")
INK = "#333333"
PALE = "#8a8a8a"
GRID = "#e6e6e6"


@dataclass(frozen=True, slots=True)
class Style:
    """How a strategy is drawn, the same in all pictures."""

    colour: str
    marker: str
    line: str


def styles(names: Sequence[str]) -> dict[str, Style]:
    """Give every name a style of its own, in the order of their first occurrence."""
    return {
        name: Style(
            COLOURS[place % len(COLOURS)],
            MARKERS[(place + place // len(COLOURS)) % len(MARKERS)],
            LINES[place // len(COLOURS) % len(LINES)],
        )
        for place, name in enumerate(dict.fromkeys(names))
    }


def apart(places: Sequence[float], distance: float) -> list[float]:
    """Move ascending places as little as possible for neighbours to be `distance` apart.

    The least sum of squared moves: places that would touch form a block around their mean (pool
    adjacent violators of isotonic regression).
    """
    blocks: list[list[float]] = []
    for place in places:
        blocks.append([place])
        while len(blocks) > 1 and _end(blocks[-2], distance) > _begin(blocks[-1], distance):
            last = blocks.pop()
            blocks[-1] += last
    return [_begin(block, distance) + k * distance for block in blocks for k in range(len(block))]


def _begin(block: Sequence[float], distance: float) -> float:
    return sum(block) / len(block) - distance * (len(block) - 1) / 2


def _end(block: Sequence[float], distance: float) -> float:
    """Return where the next block may begin."""
    return _begin(block, distance) + distance * len(block)
