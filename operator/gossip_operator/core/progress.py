"""How far training has come, from what a sample of the job's processes said."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from gossip_api.names import Role
from gossip_api.reasons import Reason
from gossip_api.status import Progress, Result
from gossip_operator.core.history import current_reports
from gossip_operator.core.moments import moment, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gossip_api.process import ProcessStatus, Score
    from gossip_operator.core.history import History
    from gossip_operator.core.observed import Observed

STALLED_SECONDS = 300.0
"""Training counts as stalled when no step was made for so long."""
COALESCE_SECONDS = 10.0
"""Progress alone is written no more often than this."""


def measure(observed: Observed, history: History, ready: int) -> Progress | None:
    """Return the progress; what nobody reports on any more stays as it was."""
    # How far a job that was resumed is, its workers say: at its checkpoints, or at the beginning.
    before = observed.job.status.progress if observed.job.status.start_time else None
    reports = current_reports(observed)
    workers = [r.status for r in reports if r.status.role is Role.WORKER]
    score = next((r.status.score for r in reports if r.status.score is not None), None)
    score = history.result or score
    if not workers and score is None:
        return before
    everyone = [report.status for report in reports]
    known = before or Progress()
    now = min(max((report.at for report in reports), default=observed.now), observed.now)
    # Others are asked every time, and some have come less far than those before.
    step = int(median(s.step for s in workers)) if workers else 0
    tested = score.epoch if score is not None else 0.0
    epoch = max(*(s.epoch for s in everyone), tested, float(known.epoch or 0.0))
    fraction = max((s.fraction for s in everyone if s.fraction is not None), default=None)
    trained_for = 0.0 if history.began is None else now - history.began
    seen = Progress(
        step=max(step, history.step, known.step or 0),
        epoch=_text(epoch) if epoch else None,
        percent=known.percent if fraction is None else max(int(100 * fraction), known.percent or 0),
        eta_seconds=None if history.result else _eta(fraction, observed, ready, trained_for),
        samples_per_second=_rate(workers, ready),
        loss=_text(score.loss if score else None) or known.loss,
        accuracy=_text(score.accuracy if score else None) or known.accuracy,
        consensus_distance=_text(score.consensus_distance if score else None)
        or known.consensus_distance,
        updated=known.updated,
    )
    # `updated` tells when training last got on; a new estimate of the rate alone is no news.
    if before is not None and _gist(seen) == _gist(before):
        return before
    return seen.model_copy(update={"updated": moment(now)})


def _gist(progress: Progress) -> tuple[object, ...]:
    """Return what only training changes."""
    return (progress.step, progress.epoch, progress.percent, progress.loss, progress.accuracy)


def is_stalled(observed: Observed, progress: Progress | None, history: History) -> bool:
    """Tell whether training got no further for a good while; without news, as it was before."""
    if history.began is None:
        return False
    if not any(report.status.role is Role.WORKER for report in current_reports(observed)):
        reasons = {condition.reason for condition in observed.job.status.conditions}
        return Reason.STALLED in reasons
    updated = seconds(progress.updated) if progress is not None and progress.updated else 0.0
    return observed.now - max(updated, history.began) > STALLED_SECONDS


def write_later(before: Progress | None, now: float) -> float | None:
    """Return for how long a change of progress alone is to be kept back; None for not at all."""
    updated = seconds(before.updated) if before is not None else None
    if updated is None or now - updated >= COALESCE_SECONDS:
        return None
    return COALESCE_SECONDS - (now - updated)


def _eta(fraction: float | None, observed: Observed, ready: int, trained_for: float) -> int | None:
    """Estimate the rest by what the workers have trained in `trained_for` seconds.

    In a job that was resumed, its samples and `fraction` include what earlier ones trained.
    """
    everyone = [report.status for report in current_reports(observed)]
    own = [s.samples for s in everyone if s.role is Role.WORKER]
    trained = median(own) * max(ready, len(own)) if own else 0
    if not fraction or not trained or trained_for <= 0:
        return None
    assert observed.job.spec is not None
    if (seconds := observed.job.spec.spec.training.budget.seconds) is not None:
        return round(seconds * (1 - fraction))
    rest = max(s.job_samples for s in everyone) * (1 - fraction) / fraction
    return round(rest / trained * trained_for)


def _rate(workers: Sequence[ProcessStatus], ready: int) -> str | None:
    """Estimate all workers' rate from those that were asked."""
    rates = [s.samples_per_second for s in workers if s.samples_per_second is not None]
    return _text(sum(rates) / len(rates) * max(ready, len(rates))) if rates else None


def _text(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"


def recorded(score: Score, progress: Progress | None, model: str | None) -> Result:
    """Return the final test as the status has it, with the step that training had come to.

    `model` says where the tested model lies.
    """
    return Result(
        step=(progress and progress.step) or None,  # 0 stands for not known
        loss=_text(score.loss),
        accuracy=_text(score.accuracy),
        consensus_distance=_text(score.consensus_distance),
        epoch=_text(score.epoch),
        model=model,
    )
