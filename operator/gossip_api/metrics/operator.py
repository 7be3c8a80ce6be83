"""What the operator tells of itself."""

from typing import Final

from gossip_api.metrics.metric import ANY, SHORT_SECONDS, counter, gauge, histogram

RESULTS: Final = ("success", "error")
ACTIONS_TAKEN: Final = (
    "create_pod",
    "delete_pod",
    "apply_child",
    "issue_credentials",
    "write_status",
    "delete_job",
)
WATCHED: Final = ("job", "pod", "node")
LISTED: Final = ("GossipTrainingJob", "Pod")
"""Kinds whose objects are followed one by one."""

INFO = gauge("gossip_operator_info", "1; the label says which version runs.", version=ANY)
LEADER = gauge("gossip_operator_leader", "1 if this replica leads, else 0.")
JOBS = gauge("gossip_operator_jobs", "Jobs that are there.")
PODS = gauge("gossip_operator_pods", "Pods of jobs that are there.")
RECONCILES = counter(
    "gossip_operator_reconciles_total", "Times that a job was looked at.", result=RESULTS
)
RECONCILE_SECONDS = histogram(
    "gossip_operator_reconcile_duration_seconds",
    "Time that one look at a job took, its requests included.",
)
PLAN_SECONDS = histogram(
    "gossip_operator_plan_duration_seconds",
    "Time that it took to decide what to do for a job.",
    (0.0003, *SHORT_SECONDS[:-3]),
)
ACTIONS = counter(
    "gossip_operator_actions_total", "What was carried out for jobs.", action=ACTIONS_TAKEN
)
QUEUE_DEPTH = gauge("gossip_operator_queue_depth", "Jobs that wait to be looked at.")
QUEUE_SECONDS = histogram(
    "gossip_operator_queue_latency_seconds", "Time that a job waited to be looked at."
)
REQUESTS = counter(
    "gossip_operator_api_requests_total",
    "Requests to the API server, kopf's watches left out; code 0 for no answer.",
    verb=ANY,
    code=ANY,
    resource=ANY,
)
REQUEST_SECONDS = histogram(
    "gossip_operator_api_request_duration_seconds",
    "Time that the API server took to answer.",
    verb=ANY,
)
REQUEST_ERRORS = counter(
    "gossip_operator_api_errors_total",
    "Requests that the API server refused or did not answer.",
    verb=ANY,
    resource=ANY,
)
WATCH_EVENTS = counter(
    "gossip_operator_watch_events_total",
    "Events that watches brought, and whether they were news.",
    kind=WATCHED,
    used=("true", "false"),
)
GHOSTS = counter(
    "gossip_operator_ghosts_total",
    "Objects that were found to be gone only when everything was listed again.",
    kind=LISTED,
)
RELISTED = gauge(
    "gossip_operator_last_relist_timestamp_seconds",
    "When everything was last listed again, in seconds since the epoch.",
)
DROPPED_EVENTS = counter(
    "gossip_operator_dropped_events_total",
    "Events of jobs that were not written: too many, or refused.",
)
PROBES = counter(
    "gossip_operator_probes_total",
    "Processes that were asked for their status.",
    result=("ok", "unreachable", "invalid"),
)

OPERATOR: Final = (
    INFO,
    LEADER,
    JOBS,
    PODS,
    RECONCILES,
    RECONCILE_SECONDS,
    PLAN_SECONDS,
    ACTIONS,
    QUEUE_DEPTH,
    QUEUE_SECONDS,
    REQUESTS,
    REQUEST_SECONDS,
    REQUEST_ERRORS,
    WATCH_EVENTS,
    GHOSTS,
    RELISTED,
    DROPPED_EVENTS,
    PROBES,
)
