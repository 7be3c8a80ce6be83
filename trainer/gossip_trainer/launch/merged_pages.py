"""One page of metrics made of many: each series gets labels that say which process it is from.

What Prometheus does with a cluster's pods by relabelling. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from gossip_api.metrics.processes import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gossip_api.names import Member


class MergedPages(Collector):
    """Collects the series of all processes when a page is written.

    Args:
        namespace: that all series get.
        job_name: likewise.
        pages: returns each process's page as it is at the moment; one for each role and rank.

    """

    def __init__(
        self, namespace: str, job_name: str, pages: Callable[[], Mapping[Member, str]]
    ) -> None:
        self._job = (namespace, job_name)
        self._pages = pages

    def collect(self) -> Iterator[Metric]:
        """Yield every metric once, with the series of all that have it."""
        merged: dict[str, Metric] = {}
        for member, page in self._pages().items():
            values = (*self._job, member.role, str(member.index))
            identity = dict(zip(IDENTITY, values, strict=True))
            for metric in text_string_to_metric_families(page):
                known = merged.setdefault(
                    metric.name, Metric(metric.name, metric.documentation, metric.type)
                )
                known.samples += [
                    sample._replace(labels=identity | sample.labels) for sample in metric.samples
                ]
        yield from merged.values()
