"""Whether what somebody waits for has come, can still come, or cannot any more. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gossip_kubectl.errors import FAILED, NOT_FOUND, OK
from gossip_kubectl.words import result_words

if TYPE_CHECKING:
    from gossip_kubectl.views import JobView


class Goal(StrEnum):
    """What is waited for."""

    COMPLETE = "complete"
    BEGAN = "began"
    READY = "ready"
    SUSPENDED = "suspended"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a wait.

    Attributes:
        code: the exit code.
        message: what has come, in a sentence.

    """

    code: int
    message: str


def judge(goal: Goal, job: JobView | None, uid: str | None) -> Verdict | None:
    """Decide what comes of the wait; None if only more waiting can tell.

    Args:
        goal: what is waited for.
        job: the job as it is now, None if there is none.
        uid: the identity of the job that the wait began with, None if there has been none.

    """
    is_gone = job is None or uid not in {None, job.uid}
    if job is None or is_gone:
        return _absent(goal, was_there=uid is not None)
    if _has_come(goal, job):
        return Verdict(OK, _told(goal, job))
    if job.holds("Failed"):
        return None if goal is Goal.DELETED else Verdict(FAILED, _told(Goal.FAILED, job))
    if job.holds("Complete") and goal is not Goal.DELETED:
        return Verdict(FAILED, f"will not be {goal} any more: it {_told(Goal.COMPLETE, job)}")
    return None


def _absent(goal: Goal, *, was_there: bool) -> Verdict:
    if goal is Goal.DELETED:
        return Verdict(OK, "is deleted" if was_there else "does not exist")
    if was_there:
        return Verdict(NOT_FOUND, "was deleted in the meantime; its end is not known")
    return Verdict(NOT_FOUND, "does not exist; `kubectl gossip status -A` lists all jobs")


def _has_come(goal: Goal, job: JobView) -> bool:
    match goal:
        case Goal.COMPLETE:
            return job.holds("Complete")
        case Goal.BEGAN:
            return job.status.began_time is not None or job.holds("Complete")
        case Goal.READY:
            return job.holds("WorkersReady")
        case Goal.SUSPENDED:
            condition = job.condition("Suspended")
            return (
                job.holds("Suspended") and condition is not None and condition.reason == "Suspended"
            )
        case Goal.FAILED:
            return job.holds("Failed")
        case Goal.DELETED:
            return False


def _told(goal: Goal, job: JobView) -> str:
    match goal:
        case Goal.COMPLETE:
            return f"is complete: {result_words(job.status.result)}"
        case Goal.FAILED:
            condition = job.condition("Failed")
            reason = "" if condition is None else f" ({condition.reason}): {condition.message}"
            return f"has failed{reason}"
        case Goal.BEGAN:
            return "has begun to train"
        case Goal.READY:
            return "has all its workers ready"
        case Goal.SUSPENDED:
            return "is suspended"
        case Goal.DELETED:
            return "is deleted"
