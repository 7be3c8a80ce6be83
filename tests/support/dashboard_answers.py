"""What a real Prometheus answers to the queries of dashboards, as Grafana would ask them."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from prometheus import Prometheus, Sample
from testbed.errors import BedError
from testbed.waiting import wait_for

from gossip_monitoring.dashboards.interpolation import interpolate, legend, rate_interval
from gossip_monitoring.dashboards.panel import Curve, Dashboard, Panel, Table

SCRAPE_SECONDS = 1.0

Values = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Reader:
    """Somebody who looks at dashboards.

    Attributes:
        prometheus: whom Grafana asks.
        values: what is chosen at the dashboard's head.

    """

    prometheus: Prometheus
    values: Values

    def ask(self, expr: str) -> list[Sample]:
        """Return what there is now; what is not a number is nothing."""
        interval = {"__rate_interval": rate_interval(SCRAPE_SECONDS, SCRAPE_SECONDS)}
        found = self.prometheus.query(interpolate(expr, self.values | interval))
        return [sample for sample in found if math.isfinite(sample.value)]

    def silent(self, panels: Iterable[Panel]) -> list[str]:
        """Name the queries that have no answer."""
        return [
            f"{panel.title}: {query.expr}"
            for panel in panels
            for query in panel.queries
            if not self.ask(query.expr)
        ]

    def wait_until_all_answer(self, panels: Sequence[Panel], *, seconds: float) -> None:
        """Wait until no query is silent; fail with those that still are."""
        with suppress(BedError):
            wait_for(lambda: not self.silent(panels), "answers", seconds=seconds)
        assert self.silent(panels) == []

    def confused(self, dashboard: Dashboard) -> list[str]:
        """Name the panels in which two series have one name."""
        return [
            panel.title
            for panel in dashboard.panels
            if not isinstance(panel.look, (Curve, Table))
            and max(Counter(self._names(panel)).values(), default=1) > 1
        ]

    def unmatched(self, dashboard: Dashboard) -> list[str]:
        """Name the charts of one query over another whose series do not go together."""
        return [
            panel.title
            for panel in dashboard.panels
            if isinstance(panel.look, Curve) and len({*self._groups(panel, panel.look)}) != 1
        ]

    def _names(self, panel: Panel) -> Iterator[str]:
        for query in panel.queries:
            yield from (legend(query.legend, sample.labels) for sample in self.ask(query.expr))

    def _groups(self, panel: Panel, look: Curve) -> Iterator[frozenset[tuple[str, ...]]]:
        for query in panel.queries:
            answer = self.ask(query.expr)
            yield frozenset(tuple(each.labels.get(by, "") for by in look.by) for each in answer)
