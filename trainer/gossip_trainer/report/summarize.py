"""Sums a run up: from its history and its job to the summary. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gossip_trainer.report.summary import (
    LostMember,
    Measured,
    Moment,
    Replacement,
    RunState,
    Summary,
    TargetResult,
    WorkerTotals,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gossip_api.job import GossipTrainingJob
    from gossip_api.training import Budget, Target
    from gossip_trainer.observability.events import Evaluation, Left, Replaced
    from gossip_trainer.report.history import History, WorkerHistory

STOP_REASONS = {
    "budget": "the budget is used up",
    "target": "the target is reached",
    "deadline": "the deadline passed",
    "interrupted": "interrupted",
}


def summarize(
    history: History,
    job: GossipTrainingJob,
    *,
    state: RunState,
    reason: str | None = None,
    files: Sequence[str] = (),
) -> Summary:
    """Sum the run up; `reason` where the launcher has one, else what the records tell."""
    samples, epoch = history.job_samples, history.epoch_samples
    budget = _budget_samples(job.spec.training.budget, epoch)
    best = max(history.evaluations, key=_goodness, default=None)
    return Summary(
        job=job.metadata.name,
        strategy=job.spec.strategy.type,
        num_workers=job.spec.workers.replicas,
        outcome=state,
        reason=" ".join((reason or _reason(history, state)).split()),
        training_seconds=round(history.training_seconds, 3),
        job_samples=samples,
        epochs=samples / epoch if epoch else None,
        budget_samples=budget,
        overshoot_samples=max(0, samples - budget) if budget is not None else None,
        evaluations=len(history.evaluations),
        last_evaluation=_measured(history.evaluations[-1]) if history.evaluations else None,
        best=_moment(best) if best else None,
        target=_target(history, job.spec.training.target),
        workers=tuple(_totals(worker) for worker in history.workers.values()),
        lost=tuple(_lost(history, left) for left in history.left if left.exit_code != 0),
        replaced=tuple(_replacement(history, new) for new in history.replaced),
        files=tuple(files),
    )


def _reason(history: History, state: RunState) -> str:
    if state == "failed" and history.failed:
        return f"{history.failed[0].source}: {history.failed[0].reason}"
    if history.stopping:
        told = history.stopping[0].reason
        return STOP_REASONS.get(told, told)
    return {
        "succeeded": "all workers finished",
        "failed": "no process told why",
        "interrupted": STOP_REASONS["interrupted"],
    }[state]


def _budget_samples(budget: Budget, epoch_samples: int | None) -> int | None:
    if budget.samples is not None:
        return budget.samples
    if budget.epochs is not None and epoch_samples is not None:
        return round(budget.epochs * epoch_samples)
    return None


def _measured(evaluation: Evaluation) -> Measured:
    return Measured(**{name: getattr(evaluation, name) for name in Measured.__struct_fields__})


def _moment(evaluation: Evaluation) -> Moment:
    return Moment(**{name: getattr(evaluation, name) for name in Moment.__struct_fields__})


def _target(history: History, target: Target | None) -> TargetResult | None:
    if target is None:
        return None
    meeting = (met for met in history.evaluations if _meets(met, target))
    first = next(meeting, None)
    return TargetResult(
        metric=target.metric, value=target.value, reached=_moment(first) if first else None
    )


def _meets(evaluation: Evaluation, target: Target) -> bool:
    if target.metric == "accuracy":
        return evaluation.accuracy is not None and evaluation.accuracy >= target.value
    return evaluation.loss is not None and evaluation.loss <= target.value


def _goodness(evaluation: Evaluation) -> float:
    """Return what is higher the better: the accuracy, or the loss turned round."""
    if evaluation.accuracy is not None:
        return evaluation.accuracy
    return -math.inf if evaluation.loss is None else -evaluation.loss


def _lost(history: History, left: Left) -> LostMember:
    return LostMember(
        member=left.member,
        seconds=round(history.seconds_at(left.time), 3),
        reason=left.reason,
        exit_code=left.exit_code,
    )


def _replacement(history: History, replaced: Replaced) -> Replacement:
    return Replacement(
        member=replaced.member,
        instead_of=replaced.instead_of,
        seconds=round(history.seconds_at(replaced.time), 3),
    )


def _totals(worker: WorkerHistory) -> WorkerTotals:
    newest, until = worker.newest, worker.trained_until
    seconds = max(0.0, until - worker.began.time) if worker.began and until else 0.0
    steps = max(0, worker.steps - (worker.began.step if worker.began else 0))
    return WorkerTotals(
        member=worker.name,
        end="lost" if worker.is_lost else "finished" if worker.finished else "unknown",
        steps=steps,
        samples=worker.samples,
        seconds=round(seconds, 3),
        steps_per_second=round(steps / seconds, 3) if seconds else None,
        exchanges=newest.exchanges if newest else 0,
        exchanges_lost=max(worker.exchange_losses, newest.lost if newest else 0),
        exchanges_skipped=newest.skipped if newest else 0,
        mean_staleness=_mean_staleness(worker),
        received_bytes=newest.received_bytes if newest else 0,
        sent_bytes=newest.sent_bytes if newest else 0,
        unpublished=newest.unpublished if newest else 0,
    )


def _mean_staleness(worker: WorkerHistory) -> float | None:
    """Average the records' means, weighted by the exchanges completed since the record before."""
    total, weight, before = 0.0, 0, 0
    for progress in worker.progress:
        new = max(1, progress.exchanges - before)
        before = progress.exchanges
        if progress.staleness is not None:
            total, weight = total + new * progress.staleness, weight + new
    return round(total / weight, 3) if weight else None
