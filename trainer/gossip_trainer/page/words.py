"""Values beside axes and in tables, short enough for a chart. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gossip_trainer.page.records import Axis, Measure

AXIS_NAMES: dict[Axis, str] = {
    "seconds": "time",
    "samples": "samples",
    "bytes": "bytes",
}
AXIS_TITLES: dict[Axis, str] = {
    "seconds": "seconds of training",
    "samples": "samples, all workers together",
    "bytes": "model bytes received per worker",
}

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def on_axis(axis: Axis, value: float) -> str:
    """Write a place on the x axis: `1.5k`, or `20 MB`."""
    if axis == "seconds":
        return f"{value:,.6g}"
    prefix = next(((unit, name) for unit, name in _PREFIXES if value >= unit), (1.0, ""))
    short = f"{value / prefix[0]:.3g}"
    return f"{short} {prefix[1]}B" if axis == "bytes" else f"{short}{prefix[1]}"


def measure(kind: Measure, value: float) -> str:
    """Write a value of a chart: `0.1234`, or `97.5%`."""
    return f"{100 * value:.4g}%" if kind == "share" else f"{value:.4g}"
