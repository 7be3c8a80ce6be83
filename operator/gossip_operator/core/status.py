"""The whole status of a job, as it is to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_api.names import JOB_NAME_LABEL, ROLE_LABEL, Role
from gossip_api.status import JobStatus, Launched, WorkerCounts
from gossip_operator.core.conditions import aspects, stamped
from gossip_operator.core.moments import moment
from gossip_operator.core.progress import recorded
from gossip_operator.core.staffing import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gossip_api.status import Failure, Progress, Result, State
    from gossip_operator.core.conditions import Standing
    from gossip_operator.core.history import History
    from gossip_operator.core.observed import Observed, PodView
    from gossip_operator.core.places import Place


def count_ready(places: Iterable[Place]) -> int:
    """Count the workers that train and serve."""
    return sum(
        place.role is Role.WORKER and place.is_taken and place.pod is not None and place.pod.ready
        for place in places
    )


def count_active(pods: Iterable[PodView]) -> int:
    """Count the workers' pods that run or may come to run."""
    return sum(
        pod.member.role is Role.WORKER and pod.deleted is None and pod.phase not in TERMINAL
        for pod in pods
    )


def write_status(
    observed: Observed,
    *,
    standing: Standing,
    history: History,
    remembered: Iterable[Place],
    counts: WorkerCounts,
    progress: Progress | None,
    failures: tuple[Failure, ...],
) -> JobStatus:
    """Put the status together; equal observations give equal statuses.

    `remembered` are all places as they are to be found again when all pods are gone.
    """
    job, before, places = observed.job, observed.job.status, list(remembered)
    finished = standing.conclusion is not None
    ended = before.completion_time or moment(observed.now)
    lives = not standing.suspended
    return JobStatus(
        observed_generation=job.generation,
        state=_state(standing, observed),
        finished=finished,
        conditions=stamped(aspects(standing), before.conditions, job.generation, observed.now),
        workers=counts,
        progress=progress,
        restarts=max(before.restarts or 0, _restarts(places)),
        failures=failures,
        stop=history.stop if lives else None,
        result=_result(before, history, progress),
        start_time=moment(history.started) if lives and not history.queued else None,
        began_time=moment(history.began) if lives else None,
        completion_time=ended if finished else None,
        launched=_launched(places),
        ledger=tuple(entry for place in places if (entry := place.ledger_entry()) is not None),
    )


def count_workers(observed: Observed, standing: Standing, wanted: Iterable[Place]) -> WorkerCounts:
    """Put the workers in numbers."""
    workers = [place for place in wanted if place.role is Role.WORKER]
    return WorkerCounts(
        desired=standing.desired,
        active=count_active(observed.pods),
        ready=standing.ready,
        succeeded=sum(place.finished for place in workers),
        failed=sum(place.is_vacant for place in workers),
        display=f"{standing.ready}/{standing.desired}",
        selector=f"{JOB_NAME_LABEL}={observed.job.name},{ROLE_LABEL}={Role.WORKER}",
    )


def _result(before: JobStatus, history: History, progress: Progress | None) -> Result | None:
    """Keep what is recorded once the evaluator's pod is gone."""
    if history.result is None:
        return before.result
    return recorded(history.result, progress, history.model)


def _launched(places: Iterable[Place]) -> Launched:
    """Return for every role one more than the highest index that anybody has taken."""
    ends = dict.fromkeys(Role, 0)
    for place in places:
        ends[place.role] = max(ends[place.role], place.index + 1)
    return Launched(
        workers=ends[Role.WORKER], servers=ends[Role.SERVER], evaluators=ends[Role.EVALUATOR]
    )


def _state(s: Standing, observed: Observed) -> State:
    if s.conclusion is not None:
        return "Succeeded" if s.conclusion.succeeded else "Failed"
    if s.suspended:
        return "Suspended"
    if not s.began:
        scheduled = any(pod.node for pod in observed.pods)
        return "Starting" if scheduled and s.problem is None else "Pending"
    return "Degraded" if s.ready < s.desired and not s.ending else "Running"


def _restarts(places: Iterable[Place]) -> int:
    """Count replacements, and restarts in place of the pods that are there."""
    return sum(
        max(0, place.incarnation)
        + (place.pod.trainer.restarts if place.pod is not None and place.pod.trainer else 0)
        for place in places
    )
