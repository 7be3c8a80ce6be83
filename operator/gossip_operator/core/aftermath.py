"""A job that is over: its pods go as it says, itself when its time is over; all else stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_operator.core.actions import Plan
from gossip_operator.core.moments import seconds
from gossip_operator.core.staffing import everyone
from gossip_operator.core.status import count_active

if TYPE_CHECKING:
    from gossip_api.job import JobSpec
    from gossip_api.status import JobStatus
    from gossip_operator.core.actions import DeletePod
    from gossip_operator.core.observed import Observed

LEAVE_SECONDS = 20.0
"""How long the pods of a job that succeeded may take to leave."""


def tidy_up(observed: Observed, spec: JobSpec | None) -> Plan:
    """Remove what is to be removed; of a job that cannot be read, nothing."""
    before = observed.job.status
    after = _up_to_date(before, observed)
    left, patience = _time_left(observed, spec), _patience(observed)
    waits = [wait for wait in (left, patience) if wait is not None and wait > 0]
    return Plan(
        delete=_pods_to_delete(observed, spec) if patience <= 0 else (),
        status=after if after != before else None,
        delete_job=left is not None and left <= 0,
        look_again=min(waits, default=None),
    )


def _patience(observed: Observed) -> float:
    """Return for how many seconds pods may still end by themselves.

    After a success they are about to: the evaluator has let them go. A pod that is deleted takes
    its logs with it.
    """
    status = observed.job.status
    ended = seconds(status.completion_time)
    if status.state != "Succeeded" or ended is None or count_active(observed.pods) == 0:
        return 0.0
    return ended + LEAVE_SECONDS - observed.now


def _pods_to_delete(observed: Observed, spec: JobSpec | None) -> tuple[DeletePod, ...]:
    if spec is None or spec.run_policy.clean_pods == "None":
        return ()
    dead_too = spec.run_policy.clean_pods == "All"
    return everyone(observed.pods, dead_too=dead_too, why="the job is over")


def _time_left(observed: Observed, spec: JobSpec | None) -> float | None:
    """Return for how many seconds the job is kept; None for ever."""
    ended = seconds(observed.job.status.completion_time)
    if spec is None or spec.run_policy.ttl_after_finished is None or ended is None:
        return None
    return ended + spec.run_policy.ttl_after_finished.total_seconds() - observed.now


def _up_to_date(before: JobStatus, observed: Observed) -> JobStatus:
    """Say that the status is about the job's present generation, and when nobody is left."""
    generation = observed.job.generation
    conditions = tuple(
        condition.model_copy(update={"observed_generation": generation})
        for condition in before.conditions
    )
    workers = before.workers
    if workers is not None and count_active(observed.pods) == 0:
        # Not told one by one: a thousand pods that end are one piece of news.
        workers = workers.model_copy(update={"active": 0, "ready": 0})
    return before.model_copy(
        update={"observed_generation": generation, "conditions": conditions, "workers": workers}
    )
