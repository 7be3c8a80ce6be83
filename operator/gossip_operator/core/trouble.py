"""What keeps pods from running, in Kubernetes' own words, and how those ended that ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossip_api.reasons import Reason
from gossip_api.status import Failure
from gossip_operator.core.fate import (
    CONTAINER_TROUBLE,
    CRASH_LOOP,
    DELETED,
    IMAGE_TROUBLE,
    LEFT,
    NODE_LOST,
    OVER,
    Fate,
)
from gossip_operator.core.moments import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gossip_operator.core.observed import Observed, PodView, Refusal
    from gossip_operator.core.places import Place

MAX_FAILURES = 10
MESSAGE_LIMIT = 1024
MEANT = frozenset({DELETED, LEFT})
"""How pods end that somebody ended on purpose; says little where more is known."""
WAITS = frozenset({Reason.UNSCHEDULABLE, Reason.IMAGE_ERROR, Reason.CONTAINER_ERROR})
"""Why pods do not run yet; says nothing of their ends."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why not everyone is ready; of several the one that a user can do most about."""

    reason: Reason
    message: str


def worst(refusals: Iterable[Refusal], places: Iterable[Place]) -> Trouble | None:
    """Return what most likely keeps the job from being complete; None if nothing does."""
    refused = next(iter(refusals), None)
    if refused is not None:
        return Trouble(refused.reason, f"{refused.what}: {refused.message}")
    found = [trouble for place in places for trouble in _of(place)]
    # Sorting is stable: of two equally bad ones the lower rank's is told.
    return min(found, key=lambda trouble: _ORDER.index(trouble.reason), default=None)


_ORDER = (
    Reason.IMAGE_ERROR,
    Reason.CONTAINER_ERROR,
    Reason.CRASH_LOOP,
    Reason.UNSCHEDULABLE,
    Reason.NODE_LOST,
)


def _of(place: Place) -> Iterator[Trouble]:
    pod, verdict = place.pod, place.verdict
    if place.finished:
        return
    name = f"{place.role}-{place.index}"
    if verdict.fate is Fate.FAILED:
        yield Trouble(Reason.CRASH_LOOP, f"{name}: {verdict.reason}: {verdict.message}")
    elif verdict.reason == NODE_LOST:
        yield Trouble(Reason.NODE_LOST, f"{name}: {verdict.message}")
    elif place.is_vacant and place.failures:
        again = "time" if place.failures == 1 else "times in a row"
        yield Trouble(Reason.CRASH_LOOP, f"{name}: failed {place.failures} {again}")
    elif pod is not None and verdict.fate is Fate.ALIVE:
        yield from (Trouble(reason, f"{name}: {text}") for reason, text in _waiting(pod))


def _waiting(pod: PodView) -> Iterator[tuple[Reason, str]]:
    if pod.unscheduled and not pod.gated:
        yield Reason.UNSCHEDULABLE, pod.unscheduled
    trainer = pod.trainer
    if trainer is None or trainer.state != "waiting":
        return
    text = f"{trainer.reason}: {trainer.message}" if trainer.message else trainer.reason
    if trainer.reason in IMAGE_TROUBLE:
        yield Reason.IMAGE_ERROR, text
    elif trainer.reason in CONTAINER_TROUBLE:
        yield Reason.CONTAINER_ERROR, text
    elif trainer.reason == CRASH_LOOP:
        yield Reason.CRASH_LOOP, text


def failures(observed: Observed, places: Iterable[Place]) -> tuple[Failure, ...]:
    """Return the last ten failures, newest first: those remembered and those to be seen now.

    Every failure is known by what Kubernetes says of it, so that looking twice finds the same.
    """
    found = {_identity(failure): failure for failure in observed.job.status.failures}
    reasons: dict[tuple[object, ...], set[str]] = {}
    for failure in found.values():
        if failure.reason not in WAITS:
            reasons.setdefault(_process(failure), set()).add(failure.reason)
    for place in places:
        for failure in _incidents(place):
            if not _is_known(failure, reasons.get(_process(failure), set())):
                found.setdefault(_identity(failure), failure)
    newest = sorted(found.values(), key=lambda f: (f.time, f.role, f.index), reverse=True)
    return tuple(newest[:MAX_FAILURES])


def _process(failure: Failure) -> tuple[object, ...]:
    return (failure.role, failure.index, failure.incarnation)


def _identity(failure: Failure) -> tuple[object, ...]:
    """Tell failures apart; only a container can end several times in the same way."""
    time = failure.time if failure.exit_code is not None else None
    return (*_process(failure), failure.reason, time)


def _is_known(failure: Failure, reasons: set[str]) -> bool:
    """Tell whether the failure is what we made of another one: we delete what has failed."""
    if failure.reason in MEANT:
        return bool(reasons)
    return failure.exit_code is None and failure.reason != NODE_LOST and NODE_LOST in reasons


def _incidents(place: Place) -> Iterator[Failure]:
    pod, verdict = place.pod, place.verdict
    if pod is None or place.finished:
        return
    trainer = pod.trainer
    ended = trainer.ended if trainer is not None else None
    if verdict.fate in OVER or verdict.fate is Fate.USER_ERROR:
        at = verdict.at if verdict.at is not None else pod.created
        yield _failure(pod, verdict.reason, verdict.message, at, verdict.exit_code)
    elif ended is not None and ended.exit_code != 0:
        why = ended.said or "restarted in place"
        yield _failure(pod, ended.reason, why, ended.at, ended.exit_code)
    if verdict.fate is Fate.ALIVE:
        for reason, text in _waiting(pod):
            if reason is not Reason.CRASH_LOOP:  # told by how the container ended
                yield _failure(pod, reason, text, pod.created, None)


def _failure(pod: PodView, reason: str, message: str, at: float, exit_code: int | None) -> Failure:
    return Failure(
        role=pod.member.role,
        index=pod.member.index,
        incarnation=pod.member.incarnation,
        reason=str(reason),
        message=message[:MESSAGE_LIMIT],
        exit_code=exit_code,
        node=pod.node or None,
        time=moment(at),
    )
