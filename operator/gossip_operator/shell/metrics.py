"""The operator's own figures for Prometheus."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.process_collector import ProcessCollector

_SHORT = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class Metrics:
    """All series, in a registry of their own."""

    def __init__(self) -> None:
        # A second series for each, which nobody looks at.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.reconciles = Counter(
            "gossip_operator_reconcile_total",
            "Times that a job was looked at.",
            ["result"],
            registry=registry,
        )
        self.reconcile_seconds = Histogram(
            "gossip_operator_reconcile_duration_seconds",
            "Time that one look at a job took, its requests included.",
            buckets=_SHORT,
            registry=registry,
        )
        self.plan_seconds = Histogram(
            "gossip_operator_plan_duration_seconds",
            "Time that it took to decide what to do for a job.",
            buckets=(0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
            registry=registry,
        )
        self.queue_depth = Gauge(
            "gossip_operator_queue_depth", "Jobs that wait to be looked at.", registry=registry
        )
        self.queue_seconds = Histogram(
            "gossip_operator_queue_latency_seconds",
            "Time that a job waited to be looked at.",
            buckets=_SHORT,
            registry=registry,
        )
        self.requests = Counter(
            "gossip_operator_api_requests_total",
            "Requests to the API server, kopf's watches left out; code 0 for no answer.",
            ["verb", "code", "resource"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "gossip_operator_api_request_duration_seconds",
            "Time that the API server took to answer.",
            ["verb"],
            buckets=_SHORT,
            registry=registry,
        )
        self.request_errors = Counter(
            "gossip_operator_api_errors_total",
            "Requests that the API server refused or did not answer.",
            ["verb", "resource"],
            registry=registry,
        )
        self.watch_events = Counter(
            "gossip_operator_watch_events_total",
            "Events that watches brought, and whether they were news.",
            ["kind", "used"],
            registry=registry,
        )
        self.ghosts = Counter(
            "gossip_operator_ghosts_total",
            "Objects that were found to be gone only when everything was listed again.",
            ["kind"],
            registry=registry,
        )
        self.relisted = Gauge(
            "gossip_operator_last_relist_timestamp_seconds",
            "When everything was last listed again, in seconds since the epoch.",
            registry=registry,
        )
        self.dropped_events = Counter(
            "gossip_operator_dropped_events_total",
            "Events of jobs that were not written: too many, or refused.",
            registry=registry,
        )
        self.probes = Counter(
            "gossip_operator_probes_total",
            "Processes that were asked for their status.",
            ["result"],
            registry=registry,
        )
        self.leader = Gauge(
            "gossip_operator_leader", "1 if this replica leads, else 0.", registry=registry
        )
        self.jobs = Gauge("gossip_operator_jobs", "Jobs that are there.", registry=registry)
        self.pods = Gauge("gossip_operator_pods", "Pods of jobs that are there.", registry=registry)

    def note_request(self, verb: str, resource: str, status: int, seconds: float) -> None:
        """Count a request to the API server."""
        self.requests.labels(verb, str(status), resource).inc()
        self.request_seconds.labels(verb).observe(seconds)
        # A missing or an existing object is an answer, not trouble.
        if status == 0 or (status >= 400 and status not in {404, 409}):
            self.request_errors.labels(verb, resource).inc()

    def page(self) -> bytes:
        """Write all series in Prometheus' text format."""
        return generate_latest(self.registry)
