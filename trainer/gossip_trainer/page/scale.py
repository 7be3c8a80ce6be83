"""Scales of charts: where a value has its place, and which values are written beside it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from gossip_trainer.page.records import Values

Kind = Literal["linear", "log", "error"]

LARGEST = 1e250  # beyond it there is no place: a scale's ends are to be numbers, too
MIN_ERROR = 1e-5
PADDING = 0.04  # of the height, above and below
MOST_TICKS = 7
TICKS_APART = 0.12  # of the height
SHARES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999)


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale from its lower to its upper end.

    Attributes:
        kind: `linear`; `log`, on which only what is above 0 has a place; or `error`, the
            logarithm of what is missing to 1, upside down.
        low: the lower end, as `measured` gives it.
        high: the upper end, likewise.

    """

    kind: Kind
    low: float
    high: float

    def place(self, values: Values) -> Values:
        """Return where values are: 0 at the lower end and 1 at the upper; NaN for no place."""
        placed: Values = (measured(self.kind, values) - self.low) / (self.high - self.low)
        return placed

    def ticks(self) -> list[float]:
        """Return the values to be written, in ascending order."""
        if self.kind == "linear":
            return round_values(self.low, self.high)
        if self.kind == "error":
            return self._spaced([value for value in SHARES if self._holds(value)])
        low, high = 10**self.low, 10**self.high
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        for digits in ((1, 2, 5), (1,)):
            values = [digit * 10.0**power for power in powers for digit in digits]
            found = [value for value in values if self._holds(value)]
            if 2 < len(found) <= MOST_TICKS:
                return found
        found = [10.0**power for power in powers if self._holds(10.0**power)]
        if len(found) > MOST_TICKS:
            return found[:: math.ceil(len(found) / MOST_TICKS)]
        return self._spaced([value for value in round_values(low, high) if value > 0])

    def _holds(self, value: float) -> bool:
        return 0 <= float(self.place(np.array([value]))[0]) <= 1

    def _spaced(self, values: list[float]) -> list[float]:
        """Leave out what would touch the value below it."""
        kept: list[float] = []
        places = self.place(np.array(values)) if values else np.array([])
        last = -math.inf
        for value, place in zip(values, places, strict=True):
            if place - last >= TICKS_APART:
                kept.append(value)
                last = place
        return kept


def measured(kind: Kind, values: Values) -> Values:
    """Return what is proportional to the place of values; NaN where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(np.abs(values) < LARGEST, values, np.nan)
        if kind == "log":
            return np.where(values > 1 / LARGEST, np.log10(values), np.nan)
        if kind == "error":
            return -np.log10(np.maximum(1 - values, MIN_ERROR))
    return values


def fit(kind: Kind, values: Values, *, from_zero: bool) -> Scale | None:
    """Return a scale on which all `values` have a place; None if no value is finite there."""
    known = measured(kind, values)
    known = known[np.isfinite(known)]
    if not known.size:
        return None
    low, high = float(known.min()), float(known.max())
    if from_zero:
        low = min(0.0, low)
    size = max(abs(low), abs(high))
    if high - low <= max(1e-9 * size, 1 / LARGEST):
        margin = 0.5 if kind == "log" else 1e-3 * max(size, 1.0)
        low, high = low - margin, high + margin
    padding = PADDING * (high - low)
    return Scale(kind, low if from_zero and low == 0 else low - padding, high + padding)


def round_values(low: float, high: float, most: int = MOST_TICKS) -> list[float]:
    """Return at most `most` multiples of 1, 2 or 5 times a power of ten between two values."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(digit * power for digit in (1, 2, 5, 10, 20) if digit * power >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [
        round(count * step, 12 - math.floor(math.log10(step))) for count in range(first, last + 1)
    ]
