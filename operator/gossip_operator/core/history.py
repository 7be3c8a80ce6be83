"""What has happened to the job so far: what the status remembers, merged with what is seen now."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from gossip_api.names import Role
from gossip_operator.core.moments import seconds
from gossip_operator.manifests.checkpoints import lies_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gossip_api.process import LastWords, Score, Stop
    from gossip_operator.core.observed import Observed, PodView, Report

WORKING = frozenset({"Training", "Finished"})
UNHEARD_SECONDS = 60.0
"""Workers that have run for so long and do not answer the operator cannot be asked at all."""


@dataclass(frozen=True, slots=True)
class History:
    """The job's life so far; what is set stays set until the job is suspended.

    Attributes:
        started: when the operator began to create pods for it, or its queue let them go.
        queued: pods are still kept from being scheduled, so that it has not really started.
        began: when training was first seen under way.
        stop: why the job ends, once it does.
        result: the evaluator's final test, once it is known.
        model: where it saved the model that it tested, for people outside the pods.
        step: how far the workers that are done had come, by the median; 0 while none is.

    """

    started: float
    queued: bool = False
    began: float | None = None
    stop: Stop | None = None
    result: Score | None = None
    model: str | None = None
    step: int = 0


def recall(observed: Observed) -> History:
    """Merge the status with reports and last words."""
    status, now = observed.job.status, observed.now
    started = start_of(observed)
    pods = [pod for pod in observed.pods if not is_bygone(pod, started)]
    reports = current_reports(observed)
    words = list(_last_words(pods))
    began = seconds(status.began_time)
    if began is None and _somebody_trains(reports, words):
        began = now
    if began is None and _trains_unheard(observed, pods, reports):
        began = now
    queued = began is None and any(pod.gated and pod.deleted is None for pod in pods)
    stops = [report.status.stop for report in reports]
    stops += [spoken.stop for _, spoken in words]
    concluded = next((spoken for _, spoken in words if spoken.result is not None), None)
    return History(
        started=now if queued else started,
        queued=queued,
        began=began,
        stop=status.stop or next((stop for stop in stops if stop is not None), None),
        result=concluded.result if concluded is not None else None,
        model=_model(observed, concluded),
        step=_last_step(words),
    )


def start_of(observed: Observed) -> float:
    """Return when the job was started, or resumed; now if that is only about to happen."""
    started = seconds(observed.job.status.start_time)
    return observed.now if started is None else started


def is_bygone(pod: PodView, started: float) -> bool:
    """Tell whether the pod was deleted before the job was resumed: it says nothing of this life."""
    return pod.deleted is not None and pod.deleted < started


def current_reports(observed: Observed) -> Sequence[Report]:
    """Return what processes of this life said, in the order of their pods' names."""
    started = start_of(observed)
    names = sorted(pod.name for pod in observed.pods if not is_bygone(pod, started))
    return [observed.reports[name] for name in names if name in observed.reports]


def _last_words(pods: Iterable[PodView]) -> Iterator[tuple[Role, LastWords]]:
    """Yield what processes left behind, the evaluator's first."""
    for pod in sorted(pods, key=lambda pod: pod.member.role is not Role.EVALUATOR):
        ended = pod.trainer.ended if pod.trainer is not None else None
        if ended is not None and ended.last_words is not None:
            yield pod.member.role, ended.last_words


def _model(observed: Observed, concluded: LastWords | None) -> str | None:
    if concluded is None or concluded.model is None or observed.job.spec is None:
        return None
    return lies_at(observed.job.spec, concluded.model)


def _last_step(words: Iterable[tuple[Role, LastWords]]) -> int:
    """Return the median step; one that came too late to do anything has none.

    Those that finished say it best. Where the evaluator was faster, its workers were told to go.
    """
    stepped = [spoken for role, spoken in words if role is Role.WORKER and spoken.step]
    steps = [spoken.step for spoken in stepped if spoken.finished]
    steps = steps or [spoken.step for spoken in stepped]
    return int(median(steps)) if steps else 0


def _somebody_trains(reports: Iterable[Report], words: Iterable[tuple[Role, LastWords]]) -> bool:
    reported = any(
        report.status.role is Role.WORKER
        and (report.status.step > 0 or report.status.phase in WORKING)
        for report in reports
    )
    return reported or any(spoken.step > 0 for role, spoken in words if role is Role.WORKER)


def _trains_unheard(observed: Observed, pods: Iterable[PodView], reports: Iterable[Report]) -> bool:
    """Tell whether enough workers are ready whom the operator cannot ask: they need not wait."""
    assert observed.job.spec is not None
    if any(report.status.role is Role.WORKER for report in reports):
        return False
    unheard = sum(
        pod.member.role is Role.WORKER
        and pod.ready
        and pod.trainer is not None
        and pod.trainer.started is not None
        and observed.now - pod.trainer.started >= UNHEARD_SECONDS
        for pod in pods
    )
    return unheard >= observed.job.spec.spec.workers.min_replicas
