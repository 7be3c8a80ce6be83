"""What Prometheus is told of a job, from nothing but its document and its status.

So the series outlive the job's pods, are the same whoever leads, and end with the job.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gossip_api.metrics import jobs
from gossip_api.metrics.description import describe
from gossip_api.metrics.metric import Sample
from gossip_api.status import Progress
from gossip_operator.core.moments import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gossip_api.job import GossipTrainingJob
    from gossip_api.metrics.metric import Metric
    from gossip_api.status import JobStatus
    from gossip_operator.core.observed import JobView

TRAINING: Final = ("Running", "Degraded")
"""States in which a rate and an estimate still hold; the status keeps the last ones for people."""


def series(job: JobView) -> Iterator[Sample]:
    """Yield the samples of one job; what is not known has none, for 0 would be a figure too."""
    identity, status = (job.namespace, job.name), job.status
    if job.spec is not None:
        yield Sample(jobs.INFO, identity, 1.0, _description(job.spec))
    if status.state is not None:
        for state in jobs.STATE.labels["state"]:
            yield Sample(jobs.STATE, identity, float(state == status.state), (state,))
    for condition in status.conditions:
        for value in jobs.CONDITION_STATUSES:
            holds = float(value == condition.status)
            yield Sample(jobs.CONDITION, identity, holds, (condition.type, value))
    for state, number in _workers(job).items():
        if number is not None:
            yield Sample(jobs.WORKERS, identity, float(number), (state,))
    for metric, figure in (_figures(job.created, status) | _asked(job)).items():
        if figure is not None:
            yield Sample(metric, identity, figure)


def _description(job: GossipTrainingJob) -> tuple[str, ...]:
    training = job.spec.training
    words = describe(job.spec.strategy)
    words |= {"model": training.model.name, "data": training.data.name}
    return tuple(words[label] for label in jobs.INFO.labels)


def _workers(job: JobView) -> dict[str, int | None]:
    counts = job.status.workers
    known = {} if counts is None else counts.model_dump(include=set(jobs.WORKER_STATES))
    minimum = None if job.spec is None else job.spec.spec.workers.min_replicas
    return known | {"minimum": minimum}


def _asked(job: JobView) -> dict[Metric, float | None]:
    """Return what the document says in figures."""
    interval = job.spec.spec.resume_interval if job.spec is not None else None
    return {jobs.CHECKPOINT_INTERVAL: interval.total_seconds() if interval is not None else None}


def _figures(created: float, status: JobStatus) -> dict[Metric, float | None]:
    progress = status.progress or Progress()
    # Where there is a result, what it lacks was not finite or not to be had.
    reached = status.result or progress
    trains = status.state in TRAINING
    return {
        jobs.PROGRESS: None if progress.percent is None else progress.percent / 100,
        jobs.STEP: _number(reached.step),
        jobs.EPOCH: _number(reached.epoch),
        jobs.SAMPLE_RATE: _number(progress.samples_per_second) if trains else None,
        jobs.LOSS: _number(reached.loss),
        jobs.ACCURACY: _number(reached.accuracy),
        jobs.CONSENSUS_DISTANCE: _number(reached.consensus_distance),
        jobs.ETA: _number(progress.eta_seconds) if trains else None,
        jobs.UPDATED: seconds(progress.updated),
        jobs.RESTARTS: _number(status.restarts),
        jobs.CREATED: created,
        jobs.STARTED: seconds(status.start_time),
        jobs.BEGAN: seconds(status.began_time),
        jobs.COMPLETED: seconds(status.completion_time),
    }


def _number(value: int | str | None) -> float | None:
    """Read a measured value; what is no finite number, as others may have written it, is unknown.

    One such text must not take all other jobs' series from the page.
    """
    try:
        number = math.nan if value is None else float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
