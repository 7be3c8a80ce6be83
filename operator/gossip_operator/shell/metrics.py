"""The operator's own figures for Prometheus, and those of the jobs."""

from __future__ import annotations

from importlib.metadata import version
from itertools import chain
from typing import TYPE_CHECKING

from gossip_api.metrics import jobs, operator
from gossip_api.metrics.instruments import Instruments
from gossip_api.metrics.snapshot import Snapshot
from gossip_operator.core.series import series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gossip_api.metrics.metric import Sample
    from gossip_operator.core.observed import JobView


class Metrics:
    """All series, in a registry of their own."""

    def __init__(self) -> None:
        self._instruments = known = Instruments(operator.OPERATOR)
        known.gauge(operator.INFO).labels(version("gossip-training")).set(1)
        self.leader = known.gauge(operator.LEADER)
        self.jobs = known.gauge(operator.JOBS)
        self.pods = known.gauge(operator.PODS)
        self.reconciles = known.counter(operator.RECONCILES)
        self.reconcile_seconds = known.histogram(operator.RECONCILE_SECONDS)
        self.plan_seconds = known.histogram(operator.PLAN_SECONDS)
        self.actions = known.counter(operator.ACTIONS)
        self.queue_depth = known.gauge(operator.QUEUE_DEPTH)
        self.queue_seconds = known.histogram(operator.QUEUE_SECONDS)
        self.requests = known.counter(operator.REQUESTS)
        self.request_seconds = known.histogram(operator.REQUEST_SECONDS)
        self.request_errors = known.counter(operator.REQUEST_ERRORS)
        self.watch_events = known.counter(operator.WATCH_EVENTS)
        self.ghosts = known.counter(operator.GHOSTS)
        self.relisted = known.gauge(operator.RELISTED)
        self.dropped_events = known.counter(operator.DROPPED_EVENTS)
        self.probes = known.counter(operator.PROBES)

    def show_jobs(self, found: Callable[[], Iterable[JobView]]) -> None:
        """Tell of the jobs that `found` returns, which is asked whenever a page is written."""

        def samples() -> Iterator[Sample]:
            return chain.from_iterable(map(series, found()))

        self._instruments.registry.register(Snapshot(jobs.IDENTITY, samples))

    def note_request(self, verb: str, resource: str, status: int, seconds: float) -> None:
        """Count a request to the API server."""
        self.requests.labels(verb, str(status), resource).inc()
        self.request_seconds.labels(verb).observe(seconds)
        # A missing or an existing object is an answer, not trouble.
        if status == 0 or (status >= 400 and status not in {404, 409}):
            self.request_errors.labels(verb, resource).inc()

    def page(self) -> bytes:
        """Write all series in Prometheus' text format."""
        return self._instruments.page()
