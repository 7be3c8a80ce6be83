"""What the launcher does when a process of the run has ended. Pure."""

from dataclasses import dataclass
from enum import Enum, auto

from gossip_api.environment import EXIT_USER_ERROR
from gossip_api.names import Member, Role

MAX_REPLACEMENTS = 6  # of one rank, of one server, or of the evaluator


class Response(Enum):
    """What follows from a process's end."""

    GO_ON = auto()
    CONCLUDE = auto()  # the evaluator has left with the result
    REPLACE = auto()
    FAIL = auto()


@dataclass(frozen=True, slots=True)
class Situation:
    """How the run stands at that moment.

    Attributes:
        workers_left: workers that still live.
        min_workers: below this the job fails; all of them before training has begun, when the
            others wait for each.
        replace_lost: whether lost workers are replaced.
        ending: the budget is used up, the target met or the job interrupted: no worker is replaced.
        concluded: the evaluator has left with the result.
        first: the incarnation of the processes that began together.

    """

    workers_left: int
    min_workers: int
    replace_lost: bool
    ending: bool
    concluded: bool = False
    first: int = 0


def respond(member: Member, exit_code: int, situation: Situation) -> Response:
    """Decide what follows from `member`'s end."""
    if exit_code == EXIT_USER_ERROR:
        return Response.FAIL
    if member.role is Role.EVALUATOR and exit_code == 0:
        return Response.CONCLUDE
    if member.role is not Role.EVALUATOR and (exit_code == 0 or situation.concluded):
        return Response.GO_ON
    if member.role is not Role.WORKER:
        # There is one of each, and workers from whom it can begin anew.
        return _replace(member, situation) if situation.workers_left else Response.FAIL
    if situation.replace_lost and not situation.ending:
        return _replace(member, situation)
    wanted = 1 if situation.ending else situation.min_workers
    return Response.FAIL if situation.workers_left < wanted else Response.GO_ON


def _replace(member: Member, situation: Situation) -> Response:
    replaced = member.incarnation - situation.first
    return Response.REPLACE if replaced < MAX_REPLACEMENTS else Response.FAIL
