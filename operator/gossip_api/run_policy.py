"""Deadlines of a job, its patience with failures, and what is left when it is over."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from gossip_api.duration import Duration
from gossip_api.record import Record


class RunPolicy(Record):
    """When to give up, and what to leave behind."""

    start_deadline: Duration = timedelta(minutes=30)
    """How long to wait for `minReplicas` workers before the job fails."""
    active_deadline: Duration | None = None
    """How long the job may train before it fails; no limit where left out."""
    ttl_after_finished: Duration | None = None
    """How long a finished job is kept before it is deleted; for ever where left out."""
    backoff_limit_per_worker: Annotated[int, Field(ge=0)] = 6
    """How often a worker, server or evaluator may fail of its own accord before it is given up.
    Evictions, lost nodes and deletions do not count."""
    clean_pods: Literal["Running", "All", "None"] = "Running"
    """Which pods are deleted when the job is over. Running: those that still run, so that logs of
    the others remain. All: every pod. None: no pod."""
