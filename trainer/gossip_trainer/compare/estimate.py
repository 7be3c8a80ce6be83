"""Means over seeds and how certain they are. Pure."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossip_trainer.compare.student import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean.

    Attributes:
        mean: of the values.
        margin: half the width of the confidence interval; None for a single value.

    """

    mean: float
    margin: float | None

    @property
    def low(self) -> float | None:
        """The interval's lower end."""
        return None if self.margin is None else self.mean - self.margin

    @property
    def high(self) -> float | None:
        """The interval's upper end."""
        return None if self.margin is None else self.mean + self.margin

    @property
    def excludes_zero(self) -> bool | None:
        """Whether zero lies outside of the interval; None without one."""
        return None if self.margin is None else abs(self.mean) > self.margin


def estimate(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean of one value or more, with Student's interval."""
    if len(values) == 1:
        return Estimate(values[0], None)
    mean = statistics.fmean(values)
    error = statistics.stdev(values) / math.sqrt(len(values))
    return Estimate(mean, quantile(confidence, len(values) - 1) * error)


def paired(
    ours: Sequence[float], theirs: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """Return the mean of theirs less ours, pair by pair; the pairs share all but one cause."""
    return estimate([b - a for a, b in zip(ours, theirs, strict=True)], confidence)
