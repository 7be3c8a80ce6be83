"""The metrics as objects of the Prometheus client, in a registry of one's own.

Needs the `prometheus-client` of the extras `operator` and `trainer`.
"""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.process_collector import ProcessCollector

from gossip_api.metrics.metric import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gossip_api.metrics.metric import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Instruments:
    """One instrument for each of `metrics`, and the figures of the process itself.

    Series whose labels' values are all known exist from the start: counters at 0, gauges without
    labels as not a number until they are set.
    """

    def __init__(self, metrics: Iterable[Metric]) -> None:
        # A second series for each, which nobody looks at.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for metric in metrics:
            self._add(metric)

    def _add(self, metric: Metric) -> None:
        labels = tuple(metric.labels)
        instrument: Counter | Gauge | Histogram
        match metric.kind:
            case Kind.COUNTER:
                instrument = Counter(metric.name, metric.help, labels, registry=self.registry)
                self._counters[metric.name] = instrument
            case Kind.GAUGE:
                instrument = Gauge(metric.name, metric.help, labels, registry=self.registry)
                self._gauges[metric.name] = instrument
                if not labels:
                    instrument.set(math.nan)
            case Kind.HISTOGRAM:
                instrument = Histogram(
                    metric.name,
                    metric.help,
                    labels,
                    buckets=metric.buckets,
                    registry=self.registry,
                )
                self._histograms[metric.name] = instrument
        if labels and all(metric.labels.values()):
            for values in product(*metric.labels.values()):
                instrument.labels(*values)

    def counter(self, metric: Metric) -> Counter:
        """Return the counter of that metric."""
        return self._counters[metric.name]

    def gauge(self, metric: Metric) -> Gauge:
        """Return the gauge of that metric."""
        return self._gauges[metric.name]

    def histogram(self, metric: Metric) -> Histogram:
        """Return the histogram of that metric."""
        return self._histograms[metric.name]

    def page(self) -> bytes:
        """Write all series in Prometheus' text format."""
        return generate_latest(self.registry)
