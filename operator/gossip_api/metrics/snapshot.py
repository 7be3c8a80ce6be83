"""Series that are made anew at every scrape, of what is known then.

What is no longer known has no series any more, without anybody having to remove it. Needs the
`prometheus-client` of the extras `operator` and `trainer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from gossip_api.metrics.metric import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gossip_api.metrics.metric import Metric, Sample


class Snapshot(Collector):
    """Collects samples of counters and gauges when a page is written.

    Args:
        identity: names of the labels that all series have, in front of a metric's own.
        samples: says what there is to tell at the moment.

    """

    def __init__(self, identity: Sequence[str], samples: Callable[[], Iterable[Sample]]) -> None:
        self._identity = tuple(identity)
        self._samples = samples

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield all that there is a sample of."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for sample in self._samples():
            family = families.get(sample.metric.name)
            if family is None:
                family = families[sample.metric.name] = self._family(sample.metric)
            family.add_metric((*sample.identity, *sample.values), sample.value)
        yield from families.values()

    def _family(self, metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
        labels = (*self._identity, *metric.labels)
        match metric.kind:
            case Kind.COUNTER:
                return CounterMetricFamily(metric.name, metric.help, labels=labels)
            case Kind.GAUGE:
                return GaugeMetricFamily(metric.name, metric.help, labels=labels)
            case Kind.HISTOGRAM:
                raise ValueError(f"got {metric.name}; no snapshot of a histogram can be taken")
