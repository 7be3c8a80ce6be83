"""Deadlines of a job."""

from datetime import timedelta

from gossip_api.duration import Duration
from gossip_api.record import Record


class RunPolicy(Record):
    """When to give up."""

    start_deadline: Duration = timedelta(minutes=30)
    """How long to wait for `minReplicas` workers before the job fails."""
    active_deadline: Duration | None = None
    """How long the job may train before it fails; no limit where left out."""
