"""A rectangle of the page, measured in pixels, and how things look on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.patches import Rectangle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI: Final = 100
BACKGROUND: Final = "#111217"
FACE: Final = "#181b1f"
EDGE: Final = "#2c3235"
GRID: Final = "#2a2e33"
TEXT: Final = "#ccccdc"
FAINT: Final = "#8e8e99"
SERIES: Final = (
    *("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9"),
    *("#37872d", "#fade2a", "#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62"),
)
"""Colours of lines, in the order in which they are given out."""
NAMED: Final = {
    "text": TEXT,
    "red": "#f2495c",
    "orange": "#ff9830",
    "yellow": "#fade2a",
    "green": "#73bf69",
    "semi-dark-green": "#37872d",
    "blue": "#5794f2",
    "purple": "#b877d9",
}
"""Grafana's names of colours that are in use."""


@dataclass(frozen=True, slots=True)
class Surface:
    """Part of a figure; `left` and `top` are from its upper left corner, all in pixels."""

    figure: Figure
    left: float
    top: float
    width: float
    height: float

    def inner(
        self, *, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0
    ) -> Surface:
        """Return it without margins."""
        return Surface(
            self.figure,
            self.left + left,
            self.top + top,
            self.width - left - right,
            self.height - top - bottom,
        )

    def axes(self) -> Axes:
        """Make axes that fill it."""
        wide, high = self.figure.get_size_inches() * DPI
        corner = (self.left / wide, 1 - (self.top + self.height) / high)
        axes = self.figure.add_axes((*corner, self.width / wide, self.height / high))
        axes.set_facecolor(FACE)
        axes.tick_params(colors=FAINT, labelsize=7, length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes

    def frame(self) -> None:
        """Draw its border and its background."""
        wide, high = self.figure.get_size_inches() * DPI
        self.figure.add_artist(
            Rectangle(
                (self.left / wide, 1 - (self.top + self.height) / high),
                self.width / wide,
                self.height / high,
                facecolor=FACE,
                edgecolor=EDGE,
                linewidth=1,
                zorder=0,
            )
        )

    def write(
        self,
        text: str,
        x: float,
        y: float,
        *,
        size: float = 8,
        colour: str = TEXT,
        bold: bool = False,
        anchor: str = "left",
    ) -> None:
        """Write in pixels from its upper left corner; `y` is the middle of the line."""
        wide, high = self.figure.get_size_inches() * DPI
        self.figure.text(
            (self.left + x) / wide,
            1 - (self.top + y) / high,
            text,
            size=size,
            color=colour,
            weight="bold" if bold else "normal",
            ha=anchor,
            va="center",
        )


def fitted(text: str, width: float, size: float) -> str:
    """Cut a text that does not fit into so many pixels."""
    room = max(1, int(width / (size * 0.80)))
    return text if len(text) <= room else f"{text[: room - 1]}…"
