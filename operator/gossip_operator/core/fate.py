"""What became of one pod, as far as its job is concerned.

The outcome of a pod is that of its container `trainer`. The kubelet restarts the container in
place; a pod is given up only where that does not help or cannot happen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from gossip_api.environment import EXIT_USER_ERROR
from gossip_api.names import Role
from gossip_operator.core.observed import Ended

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_operator.core.observed import PodView

RESTARTS_IN_PLACE = 3
"""After so many the pod is replaced, perhaps on another node."""
IMAGE_TROUBLE = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
    }
)
CONTAINER_TROUBLE = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
CRASH_LOOP = "CrashLoopBackOff"
NODE_LOST = "NodeLost"
DELETED = "Deleted"
LEFT = "Left"


class Fate(Enum):
    """What became of a pod."""

    ALIVE = auto()  # it runs, or may come to run
    DONE = auto()  # its work is done
    LEFT = auto()  # it ended well before its work was done, because somebody told it to
    DISRUPTED = auto()  # ended from outside: deleted, evicted, its node lost; not its fault
    FAILED = auto()  # ended by itself, and restarts in place did not help
    USER_ERROR = auto()  # it found the job itself at fault


OVER = frozenset({Fate.LEFT, Fate.DISRUPTED, Fate.FAILED})
"""What calls for a replacement."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A pod's fate and why; `at` is when, where Kubernetes says it."""

    fate: Fate
    reason: str = ""
    message: str = ""
    at: float | None = None
    exit_code: int | None = None


def judge(pod: PodView, lost_nodes: Mapping[str, float]) -> Verdict:
    """Say what became of the pod."""
    ended = pod.trainer.ended if pod.trainer is not None else None
    if ended is not None and ended.exit_code == EXIT_USER_ERROR:
        return _of(Fate.USER_ERROR, ended, "UserError")
    good_end = _good_end(pod)
    if good_end is not None and good_end.fate is Fate.DONE:
        return good_end
    return (
        _disruption(pod, ended, lost_nodes)
        or good_end
        or _failure(pod, ended)
        or Verdict(Fate.ALIVE)
    )


def _good_end(pod: PodView) -> Verdict | None:
    """Judge a process that exited with 0; None for any other."""
    if pod.phase == "Succeeded" and (pod.trainer is None or pod.trainer.ended is None):
        return _well_ended(pod, Ended(0, "Completed", pod.created))  # its status has got lost
    if pod.trainer is None or pod.trainer.state != "terminated":
        return None
    ended = pod.trainer.ended
    return _well_ended(pod, ended) if ended is not None and ended.exit_code == 0 else None


def _disruption(
    pod: PodView, ended: Ended | None, lost_nodes: Mapping[str, float]
) -> Verdict | None:
    if pod.disruption or pod.reason == "Evicted":
        at = ended.at if ended is not None else pod.deleted or pod.created
        return Verdict(Fate.DISRUPTED, pod.reason or pod.disruption, pod.message, at)
    if pod.deleted is not None:
        return Verdict(Fate.DISRUPTED, DELETED, "the pod was deleted", pod.deleted)
    if pod.node in lost_nodes:
        message = f"node {pod.node} is unreachable"
        return Verdict(Fate.DISRUPTED, NODE_LOST, message, lost_nodes[pod.node])
    return None


def _failure(pod: PodView, ended: Ended | None) -> Verdict | None:
    if pod.phase == "Failed" and ended is None:
        return Verdict(Fate.FAILED, pod.reason or "Failed", pod.message, pod.created)
    if ended is not None and (pod.phase == "Failed" or _stays_down(pod)):
        return _of(Fate.FAILED, ended, pod.reason or ended.reason)
    return None


def _stays_down(pod: PodView) -> bool:
    """Tell whether the container that has failed is better not, or cannot be, started again."""
    trainer = pod.trainer
    assert trainer is not None
    if pod.never_restarts and trainer.state == "terminated":
        return True  # beside a sidecar that still runs
    return trainer.restarts >= RESTARTS_IN_PLACE and trainer.reason == CRASH_LOOP


def _well_ended(pod: PodView, ended: Ended) -> Verdict:
    words = ended.last_words
    left = words is not None and not words.finished
    if pod.member.role is Role.EVALUATOR and not left and (words is None or words.result is None):
        return Verdict(Fate.FAILED, "NoResult", "it ended without a result", ended.at, 0)
    reason = (words.reason if words is not None else None) or ""
    return Verdict(Fate.LEFT if left else Fate.DONE, LEFT if left else "", reason, ended.at, 0)


def _of(fate: Fate, ended: Ended, reason: str) -> Verdict:
    message = ended.said or f"exit code {ended.exit_code}"
    return Verdict(fate, reason, message, ended.at, ended.exit_code)
