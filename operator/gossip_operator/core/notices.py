"""What is told as Events: changes of the job's conditions, and pods that were replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_api.names import Role, pod_name
from gossip_api.reasons import EventReason, Reason
from gossip_operator.core.actions import Notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gossip_api.names import Member
    from gossip_api.status import Condition, ConditionType, JobStatus
    from gossip_operator.core.observed import JobView
    from gossip_operator.core.places import Key, Place

NOTE_LIMIT = 1024
QUIET = frozenset(
    {
        Reason.WAITING_FOR_PODS,
        Reason.FINISHED,
        Reason.FINISHING,
        Reason.SUSPENDED,
        Reason.INVALID_SPEC,
        Reason.INVALID_POD_TEMPLATE,
        Reason.CLAIM_NOT_FOUND,
        Reason.CLAIM_NOT_SHARED,
    }
)
"""Reasons for workers not being ready that are as they should be, or told elsewhere."""
NEWS: Mapping[tuple[ConditionType, str], EventReason] = {
    ("Accepted", "False"): EventReason.REFUSED,
    ("Progressing", "True"): EventReason.STARTED,
    ("Degraded", "True"): EventReason.DEGRADED,
    ("Suspended", "True"): EventReason.SUSPENDED,
    ("Complete", "True"): EventReason.COMPLETED,
    ("Failed", "True"): EventReason.FAILED,
}
RELIEF: Mapping[tuple[ConditionType, Reason], EventReason] = {
    ("Degraded", Reason.ALL_READY): EventReason.RECOVERED,
    ("Suspended", Reason.NOT_SUSPENDED): EventReason.RESUMED,
}
"""News only if it was otherwise before, and for this reason."""
BAD = frozenset(
    {
        EventReason.REFUSED,
        EventReason.DEGRADED,
        EventReason.FAILED,
        EventReason.STALLED,
        EventReason.HELD_UP,
    }
)
REPLACED = {
    Role.WORKER: EventReason.WORKER_REPLACED,
    Role.SERVER: EventReason.SERVER_REPLACED,
    Role.EVALUATOR: EventReason.EVALUATOR_REPLACED,
}


def transitions(before: JobStatus, after: JobStatus) -> Iterator[Notice]:
    """Tell every change of a condition once."""
    known = {condition.type: condition for condition in before.conditions}
    over = bool(after.finished)
    for condition in after.conditions:
        reason = _news(known.get(condition.type), condition, over=over)
        if reason is not None:
            note = condition.message or condition.reason.meaning
            if condition.status == "False" or condition.type == "Failed":
                note = f"{condition.reason}: {note}"
            yield Notice("Warning" if reason in BAD else "Normal", reason, note[:NOTE_LIMIT])


def replacements(
    created: Iterable[Member], places: Mapping[Key, Place], job: JobView
) -> dict[Member, Notice]:
    """Tell who takes whose place, and why; not of places that were left because none was needed."""
    status, spec = job.status, job.spec
    if status.start_time is None or spec is None:
        return {}  # the job begins or is resumed
    told = {}
    desired = status.workers.desired if status.workers is not None else None
    resized = desired != spec.spec.workers.replicas
    for member in created:
        place = places.get((member.role, member.index))
        if place is None or place.incarnation < 0:
            continue
        if member.role is Role.WORKER and place.pod is None and resized:
            continue
        lost = pod_name(job.name, member.role, member.index, place.incarnation)
        new = pod_name(job.name, member.role, member.index, member.incarnation)
        why = ": ".join(text for text in (place.verdict.reason, place.verdict.message) if text)
        note = f"{new} takes the place of {lost} ({why})"
        told[member] = Notice("Normal", REPLACED[member.role], note[:NOTE_LIMIT])
    return told


def _news(old: Condition | None, new: Condition, *, over: bool) -> EventReason | None:
    changed = old is None or old.status != new.status
    goes_on = old is not None and old.reason == Reason.STALLED
    if changed and not goes_on and (news := NEWS.get((new.type, new.status))) is not None:
        return news
    if changed and old is not None and not over:
        relief = RELIEF.get((new.type, new.reason))
        if relief is not None:
            return relief
    other_reason = old is None or old.reason != new.reason
    if new.status == "False" and other_reason:
        if new.type == "Progressing" and new.reason == Reason.STALLED:
            return EventReason.STALLED
        if new.type == "WorkersReady" and new.reason not in QUIET:
            return EventReason.HELD_UP
    return None
