"""What there is to say of one metric before anything is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHORT_SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Bounds of histograms of how long something takes."""
STEPS: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
"""Bounds of histograms of differences in steps."""

ANY: Final[Sequence[str]] = ()
"""Of a label whose values are not known before; they must be few all the same."""
_NO_LABELS: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})


class Kind(StrEnum):
    """Kinds of metrics that Prometheus knows."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: in full, with the unit at its end; that of a counter ends in `_total`.
        kind: what Prometheus may do with it.
        help: what it says, in one sentence.
        labels: each label of the metric's own with all the values it takes, or `ANY`. Which process
            of which job a series is from stands in the target's labels.
        buckets: upper bounds of a histogram's buckets.

    """

    name: str
    kind: Kind
    help: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=lambda: _NO_LABELS, hash=False)
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """Names under which its samples are found."""
        if self.kind is Kind.HISTOGRAM:
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)

    @property
    def num_series(self) -> int:
        """How many series one exposer has of it; a label of open values counts as one value."""
        combinations = math.prod(len(values) or 1 for values in self.labels.values())
        # A bucket more than there are bounds, the sum, the count.
        of_each = len(self.buckets) + 3 if self.kind is Kind.HISTOGRAM else 1
        return combinations * of_each


@dataclass(frozen=True, slots=True)
class Sample:
    """What one series is at one moment.

    Attributes:
        identity: values of the labels that all series of its exposer have.
        values: values of the metric's own labels, in their order.

    """

    metric: Metric
    identity: tuple[str, ...]
    value: float
    values: tuple[str, ...] = ()


def counter(name: str, text: str, **labels: Sequence[str]) -> Metric:
    """Describe something that only grows."""
    return Metric(name, Kind.COUNTER, text, labels)


def gauge(name: str, text: str, **labels: Sequence[str]) -> Metric:
    """Describe something that goes up and down."""
    return Metric(name, Kind.GAUGE, text, labels)


def histogram(
    name: str, text: str, buckets: tuple[float, ...] = SHORT_SECONDS, **labels: Sequence[str]
) -> Metric:
    """Describe how something is distributed."""
    return Metric(name, Kind.HISTOGRAM, text, labels, buckets)
