"""A suspended job: no pods, and nothing is held against anybody when it is resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_operator.core.actions import Plan
from gossip_operator.core.conditions import Standing
from gossip_operator.core.history import History
from gossip_operator.core.notices import transitions
from gossip_operator.core.staffing import everyone
from gossip_operator.core.status import count_ready, count_workers, write_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import JobSpec
    from gossip_operator.core.observed import Observed
    from gossip_operator.core.places import Key, Place


def rest(observed: Observed, spec: JobSpec, places: Mapping[Key, Place]) -> Plan:
    """Take the pods away; names and the last progress are remembered."""
    before = observed.job.status
    standing = Standing(
        desired=spec.workers.replicas,
        minimum=spec.workers.min_replicas,
        ready=count_ready(places.values()),
        suspended=True,
        resting=all(pod.node in observed.lost_nodes for pod in observed.pods),
        resumable=spec.resume_interval is not None,
    )
    after = write_status(
        observed,
        standing=standing,
        history=History(observed.now),
        remembered=[place.forgiven() for place in places.values()],
        counts=count_workers(observed, standing, ()),
        progress=before.progress,
        failures=before.failures,
    )
    news = after != before
    return Plan(
        delete=everyone(observed.pods, dead_too=True, why="suspended"),
        status=after if news else None,
        notices=tuple(transitions(before, after)) if news else (),
    )
