"""How a job stands that is under way, or has just ended: what is written of it, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_api.reasons import Reason
from gossip_operator.core.actions import Plan
from gossip_operator.core.claims import NOT_USABLE
from gossip_operator.core.conclusion import is_deserted
from gossip_operator.core.conditions import Standing
from gossip_operator.core.notices import transitions
from gossip_operator.core.places import Place
from gossip_operator.core.progress import is_stalled, measure, write_later
from gossip_operator.core.staffing import wanted_places
from gossip_operator.core.status import count_ready, count_workers, write_status
from gossip_operator.core.trouble import failures, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gossip_api.job import JobSpec
    from gossip_api.names import Member
    from gossip_operator.core.conclusion import Conclusion
    from gossip_operator.core.history import History
    from gossip_operator.core.observed import Observed
    from gossip_operator.core.places import Key
    from gossip_operator.core.staffing import Demand

NOT_ACCEPTED = NOT_USABLE | {Reason.INVALID_POD_TEMPLATE}
"""Troubles with what the job itself names."""


def report(
    observed: Observed,
    spec: JobSpec,
    places: Mapping[Key, Place],
    history: History,
    demand: Demand,
    *,
    created: Iterable[Member] = (),
    conclusion: Conclusion | None = None,
) -> Plan:
    """Write how the job stands, at once or, where only progress was made, a little later.

    `created` are members whose pods are made before the status is written.
    """
    before = observed.job.status
    wanted = wanted_places(places, demand)
    ready = count_ready(places.values())
    progress = measure(observed, history, ready)
    trouble = worst(observed.refusals, wanted)
    invalid = trouble is not None and trouble.reason in NOT_ACCEPTED
    standing = Standing(
        desired=spec.workers.replicas,
        minimum=spec.workers.min_replicas,
        ready=ready,
        problem=trouble if invalid else None,
        queued=history.queued,
        began=history.began is not None,
        ending=_why_over(history, demand),
        deserted=is_deserted(places, demand),
        stalled=is_stalled(observed, progress, history),
        trouble=trouble,
        conclusion=conclusion,
    )
    after = write_status(
        observed,
        standing=standing,
        history=history,
        remembered=_remembered(places, created),
        counts=count_workers(observed, standing, wanted),
        progress=progress,
        failures=failures(observed, wanted),
    )
    if after == before:
        return Plan()
    if after.model_copy(update={"progress": before.progress}) == before:
        later = write_later(before.progress, observed.now)
        if later is not None:
            return Plan(look_again=later)
    return Plan(status=after, notices=tuple(transitions(before, after)))


def _why_over(history: History, demand: Demand) -> str:
    """Say why training is over; empty if it is not."""
    if history.stop is not None:
        return history.stop.reason
    return "all workers have finished" if demand.ending else ""


def _remembered(places: Mapping[Key, Place], created: Iterable[Member]) -> list[Place]:
    known = dict(places)
    for member in created:
        key = (member.role, member.index)
        known[key] = (places.get(key) or Place(*key)).taken_by(member)
    return [known[key] for key in sorted(known)]
