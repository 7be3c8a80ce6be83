"""Whether the job is over, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossip_api.duration import format_duration
from gossip_api.names import Role
from gossip_api.reasons import Reason
from gossip_operator.core.fate import Fate
from gossip_operator.core.moments import seconds
from gossip_operator.core.staffing import count_possible
from gossip_operator.core.trouble import worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gossip_api.job import JobSpec
    from gossip_operator.core.history import History
    from gossip_operator.core.observed import Observed
    from gossip_operator.core.places import Key, Place
    from gossip_operator.core.staffing import Demand

DEADLINE_GRACE_SECONDS = 120.0
"""Workers end by themselves at the active deadline; so much later the operator ends the job."""
DESERTED_SECONDS = 180.0
"""How long the evaluator may take to conclude after the last worker has ended."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How the job ended."""

    succeeded: bool
    reason: Reason
    message: str


def _failed(reason: Reason, message: str) -> Conclusion:
    return Conclusion(False, reason, message)


_BAD_STOPS: Mapping[str, Conclusion] = {
    "deadline": _failed(
        Reason.ACTIVE_DEADLINE_EXCEEDED,
        "spec.runPolicy.activeDeadline passed before the budget was used up; the result is that of "
        "the model at the deadline",
    ),
    "diverged": _failed(
        Reason.DIVERGED,
        "training diverged: a worker's loss was not a finite number; the result is that of the "
        "models at that time",
    ),
}
"""Ends of training after which the job has failed, though there is a result."""


def conclude(
    observed: Observed,
    spec: JobSpec,
    places: Mapping[Key, Place],
    history: History,
    demand: Demand,
) -> Conclusion | None:
    """Return how the job ended; None while it goes on."""
    return (
        with_result(history)
        or _user_error(places, history)
        or _lost_for_good(places, demand)
        or _too_few_workers(places, spec, demand)
        or _start_deadline(observed, spec, places, history)
        or _active_deadline(observed, spec, history)
        or _no_result(observed, places, demand)
    )


def with_result(history: History) -> Conclusion | None:
    """Return how the job ended if an evaluator, be it one that was replaced, left its result."""
    if history.result is None:
        return None
    if history.stop is not None and history.stop.reason in _BAD_STOPS:
        return _BAD_STOPS[history.stop.reason]
    return Conclusion(True, Reason.RESULT_RECORDED, _describe(history))


def is_deserted(places: Mapping[Key, Place], demand: Demand) -> bool:
    """Tell whether training is over and no worker is left to read a model from."""
    workers = [place for place in places.values() if place.role is Role.WORKER]
    return demand.ending and bool(workers) and not any(place.is_taken for place in workers)


def next_deadline(observed: Observed, spec: JobSpec, history: History) -> float | None:
    """Return when a deadline must be looked at next; None if there is none."""
    policy = spec.run_policy
    if history.began is None:
        return history.started + policy.start_deadline.total_seconds()
    deadlines = []
    if policy.active_deadline is not None:
        due = history.began + policy.active_deadline.total_seconds() + DEADLINE_GRACE_SECONDS
        deadlines.append(due)
    if (since := _deserted_since(observed)) is not None:
        deadlines.append(since + DESERTED_SECONDS)
    return min(deadlines, default=None)


def _user_error(places: Mapping[Key, Place], history: History) -> Conclusion | None:
    """Fail with the process that says why; of a divergence everyone's stop record tells."""
    diverged = history.stop is not None and history.stop.reason == "diverged"
    reason = Reason.DIVERGED if diverged else Reason.USER_ERROR
    for place in places.values():
        if place.verdict.fate is Fate.USER_ERROR and place.pod is not None:
            return _failed(reason, f"{place.pod.member.name}: {place.verdict.message}")
    return None


def _describe(history: History) -> str:
    assert history.result is not None
    loss, accuracy = history.result.loss, history.result.accuracy
    parts = [] if loss is None else [f"loss {loss:.4g}"]
    parts += [] if accuracy is None else [f"accuracy {accuracy:.4g}"]
    because = f" ({history.stop.reason})" if history.stop is not None else ""
    return f"training ended{because} with {', '.join(parts) or 'no measure'}"


def _lost_for_good(places: Mapping[Key, Place], demand: Demand) -> Conclusion | None:
    for place in _given_up(places.values(), demand):
        if place.role is not Role.WORKER:
            reason = Reason.SERVER_LOST if place.role is Role.SERVER else Reason.EVALUATOR_LOST
            return _failed(
                reason,
                f"{place.role} {place.index} failed {place.failures} times in a row, last with "
                f"{place.verdict.reason}: {place.verdict.message}",
            )
    return None


def _too_few_workers(
    places: Mapping[Key, Place], spec: JobSpec, demand: Demand
) -> Conclusion | None:
    lost = [place for place in _given_up(places.values(), demand) if place.role is Role.WORKER]
    minimum = spec.workers.min_replicas
    if demand.ending or not lost or count_possible(places, demand) >= minimum:
        return None
    last = lost[-1]
    return _failed(
        Reason.TOO_FEW_WORKERS,
        f"{len(lost)} of {spec.workers.replicas} workers failed more often than "
        f"backoffLimitPerWorker {demand.limit} allows, minReplicas is {minimum}; "
        f"worker {last.index} last with {last.verdict.reason}: {last.verdict.message}",
    )


def _start_deadline(
    observed: Observed, spec: JobSpec, places: Mapping[Key, Place], history: History
) -> Conclusion | None:
    limit = spec.run_policy.start_deadline
    if history.began is not None or observed.now < history.started + limit.total_seconds():
        return None
    trouble = worst(observed.refusals, places.values())
    because = f"; {trouble.message}" if trouble is not None else ""
    return _failed(
        Reason.START_DEADLINE_EXCEEDED,
        f"training did not begin within {format_duration(limit)}; spec.runPolicy.startDeadline "
        f"sets how long to wait{because}",
    )


def _active_deadline(observed: Observed, spec: JobSpec, history: History) -> Conclusion | None:
    limit = spec.run_policy.active_deadline
    if history.began is None or limit is None:
        return None
    if observed.now < history.began + limit.total_seconds() + DEADLINE_GRACE_SECONDS:
        return None
    return _failed(
        Reason.ACTIVE_DEADLINE_EXCEEDED,
        f"the job was still running {format_duration(limit)} after training began; "
        "spec.runPolicy.activeDeadline sets how long it may",
    )


def _no_result(
    observed: Observed, places: Mapping[Key, Place], demand: Demand
) -> Conclusion | None:
    since = _deserted_since(observed)
    if not is_deserted(places, demand) or since is None or observed.now < since + DESERTED_SECONDS:
        return None
    return _failed(
        Reason.NO_RESULT,
        "all workers have ended, but no evaluator has read their models; workers save their own "
        "when they are not released",
    )


def _deserted_since(observed: Observed) -> float | None:
    """Return since when the status says that no worker is left."""
    for condition in observed.job.status.conditions:
        told = condition.type == "Progressing" and condition.reason == Reason.FINISHING
        if told and condition.status == "False":
            return seconds(condition.last_transition_time)
    return None


def _given_up(places: Iterable[Place], demand: Demand) -> list[Place]:
    return [place for place in places if place.is_given_up(demand.limit)]
