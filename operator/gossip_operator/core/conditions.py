"""The job's conditions, each with its reason from the closed list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gossip_api.reasons import Reason
from gossip_api.status import Condition
from gossip_operator.core.moments import moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gossip_api.status import ConditionType
    from gossip_operator.core.conclusion import Conclusion
    from gossip_operator.core.trouble import Trouble

MESSAGE_LIMIT = 2048


@dataclass(frozen=True, slots=True)
class Standing:
    """How the job stands, in what the conditions are made of.

    Attributes:
        problem: why the job is not accepted; None if it is.
        suspended: the user wants it to rest.
        resting: and no pod is left.
        resumable: its workers have saved what they need to go on.
        desired: how many workers are wanted.
        minimum: with how many it can begin.
        ready: how many are.
        began: training has begun.
        queued: its pods are kept from being scheduled.
        ending: why training is over, once it is.
        deserted: and no worker is left whose model could be read.
        stalled: no step was made for long.
        trouble: what keeps pods from running.
        conclusion: how it ended; None while it goes on.

    """

    desired: int
    minimum: int
    ready: int
    problem: Trouble | None = None
    suspended: bool = False
    resting: bool = False
    resumable: bool = False
    began: bool = False
    queued: bool = False
    ending: str = ""
    deserted: bool = False
    stalled: bool = False
    trouble: Trouble | None = None
    conclusion: Conclusion | None = None


@dataclass(frozen=True, slots=True)
class Aspect:
    """A condition without its times."""

    type: ConditionType
    holds: bool
    reason: Reason
    message: str = ""


def aspects(standing: Standing) -> tuple[Aspect, ...]:
    """Return all conditions of the job, in the order in which a job goes through them."""
    return (
        _accepted(standing),
        _suspended(standing),
        _workers_ready(standing),
        _progressing(standing),
        _degraded(standing),
        _complete(standing),
        _failed(standing),
    )


def stamped(
    new: Iterable[Aspect], before: Iterable[Condition], generation: int, now: float
) -> tuple[Condition, ...]:
    """Give the aspects their times: a transition's is kept as long as the status stays the same.

    Every condition names the job's present generation, ended jobs' too: `kubectl wait` waits for
    ever otherwise.
    """
    known = {condition.type: condition for condition in before}
    out = []
    for aspect in new:
        status: Literal["True", "False"] = "True" if aspect.holds else "False"
        old = known.get(aspect.type)
        same = old is not None and old.status == status
        out.append(
            Condition(
                type=aspect.type,
                status=status,
                reason=aspect.reason,
                message=aspect.message[:MESSAGE_LIMIT],
                last_transition_time=old.last_transition_time if same and old else moment(now),
                observed_generation=generation,
            )
        )
    return tuple(out)


def _accepted(s: Standing) -> Aspect:
    if s.problem is not None:
        return Aspect("Accepted", False, s.problem.reason, s.problem.message)
    return Aspect("Accepted", True, Reason.SPEC_VALID)


def _suspended(s: Standing) -> Aspect:
    if not s.suspended:
        return Aspect("Suspended", False, Reason.NOT_SUSPENDED)
    if not s.resting:
        return Aspect("Suspended", False, Reason.SUSPENDING, "the pods are ending")
    goes_on = "goes on from its checkpoints" if s.resumable else "begins anew, without checkpoints,"
    message = f"no pods are kept; training {goes_on} when the job is resumed"
    return Aspect("Suspended", True, Reason.SUSPENDED, message)


def _workers_ready(s: Standing) -> Aspect:
    count = f"{s.ready} of {s.desired} workers are ready"
    if s.conclusion is not None:
        return Aspect("WorkersReady", False, Reason.FINISHED, "the job is over")
    if s.suspended:
        return Aspect("WorkersReady", False, Reason.SUSPENDED, count)
    if s.ready >= s.desired and s.problem is None:
        return Aspect("WorkersReady", True, Reason.ALL_READY, count)
    if s.ending:
        return Aspect("WorkersReady", False, Reason.FINISHING, count)
    if s.trouble is not None:
        return Aspect("WorkersReady", False, s.trouble.reason, f"{count}; {s.trouble.message}")
    return Aspect("WorkersReady", False, Reason.WAITING_FOR_PODS, count)


def _progressing(s: Standing) -> Aspect:
    if s.conclusion is not None:
        return Aspect("Progressing", False, Reason.FINISHED, s.conclusion.message)
    if s.suspended:
        return Aspect("Progressing", False, Reason.SUSPENDED)
    if not s.began:
        return _not_started(s)
    if s.ending:
        message = f"training is over: {s.ending}; {_RESULT[s.deserted]}"
        return Aspect("Progressing", not s.deserted, Reason.FINISHING, message)
    if s.stalled:
        return Aspect("Progressing", False, Reason.STALLED, "no worker has made a step for long")
    return Aspect("Progressing", True, Reason.TRAINING)


_RESULT = {False: "the result is being made", True: "no worker is left to make the result from"}


def _not_started(s: Standing) -> Aspect:
    if s.problem is not None:
        return Aspect("Progressing", False, s.problem.reason, s.problem.message)
    waiting = f"training begins with {s.minimum} workers; {s.ready} are ready"
    because = f"; {s.trouble.message}" if s.trouble is not None else ""
    if s.queued:
        because = "; pods are kept from being scheduled by their scheduling gates"
    return Aspect("Progressing", False, Reason.NOT_STARTED, waiting + because)


def _degraded(s: Standing) -> Aspect:
    if s.conclusion is not None:
        return Aspect("Degraded", False, Reason.FINISHED)
    if s.suspended:
        return Aspect("Degraded", False, Reason.SUSPENDED)
    if not s.began:
        return Aspect("Degraded", False, Reason.NOT_STARTED)
    if s.ending:
        return Aspect("Degraded", False, Reason.FINISHING)
    if s.ready >= s.desired:
        return Aspect("Degraded", False, Reason.ALL_READY)
    reason = Reason.BELOW_MINIMUM if s.ready < s.minimum else Reason.BELOW_DESIRED
    because = f"; {s.trouble.message}" if s.trouble is not None else ""
    return Aspect("Degraded", True, reason, f"{s.ready} of {s.desired} workers are ready{because}")


def _complete(s: Standing) -> Aspect:
    if s.conclusion is not None and s.conclusion.succeeded:
        return Aspect("Complete", True, s.conclusion.reason, s.conclusion.message)
    return Aspect("Complete", False, Reason.NOT_FINISHED)


def _failed(s: Standing) -> Aspect:
    if s.conclusion is not None and not s.conclusion.succeeded:
        return Aspect("Failed", True, s.conclusion.reason, s.conclusion.message)
    return Aspect("Failed", False, Reason.NOT_FAILED)
