"""Asks a Prometheus what the panels of a dashboard show."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gossip_monitoring.dashboards.interpolation import interpolate, legend, rate_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gossip_monitoring.dashboards.panel import Query

ANSWER_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a graph.

    Attributes:
        name: as the legend has it.
        labels: that Prometheus gave it.
        times: seconds since the epoch.
        values: one for each.

    """

    name: str
    labels: Mapping[str, str]
    times: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def newest(self) -> float:
        """The last value."""
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class Window:
    """What Grafana would be set to.

    Attributes:
        address: `http://host:port` of Prometheus.
        start: of the time range, in seconds since the epoch.
        end: likewise.
        step: seconds between two points.
        scrape_seconds: of the datasource.
        values: of the variables.

    """

    address: str
    start: float
    end: float
    step: float
    scrape_seconds: float
    values: Mapping[str, str | Sequence[str]]

    def fill(self, text: str) -> str:
        """Put the values in the place of the variables."""
        interval = {"__rate_interval": rate_interval(self.step, self.scrape_seconds)}
        return interpolate(text, {**self.values, **interval})

    def ask(self, query: Query) -> list[Series]:
        """Return what a query says over the time range.

        Raises:
            OSError: Prometheus does not answer, or refuses the query.

        """
        asked = {
            "query": self.fill(query.expr),
            "start": self.start,
            "end": self.end,
            "step": self.step,
        }
        url = f"{self.address}/api/v1/query_range?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - given
            found = json.load(answer)["data"]["result"]
        return [_series(query, one) for one in found]


def _series(query: Query, found: Mapping[str, Any]) -> Series:
    labels = found["metric"]
    times, values = zip(*((float(at), float(value)) for at, value in found["values"]), strict=True)
    return Series(legend(query.legend, labels), labels, times, values)
