"""The summary of a run: the format of summary.json.

The docstrings here are its documentation; docs/event-log.md is generated from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from gossip_trainer.observability.events import AVERAGE, WorkerModel

if TYPE_CHECKING:
    from pathlib import Path

RunState = Literal["succeeded", "failed", "interrupted"]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation.

    Attributes:
        seconds: since the first worker began to train.
        job_samples: samples of the whole job by then.
        epoch: job-wide passes over the training set by then.
        averaged: how many workers' models are in the average.
        loss: of the average, on held-out data; null if it is not finite.
        accuracy: of the average, on held-out data; null if there are no classes.
        consensus_distance: square root of the mean squared distance of the workers' vectors from
            their average; null if it is not finite.
        relative_consensus_distance: the same over the norm of the average.
        workers: some workers' own models.
        final: whether the models were final; false if the run ended before they were averaged.
        model: `average` of the workers' models, or the servers' `centre`.

    """

    seconds: float
    job_samples: int
    epoch: float
    averaged: int
    loss: float | None
    accuracy: float | None
    consensus_distance: float | None
    relative_consensus_distance: float | None
    workers: tuple[WorkerModel, ...]
    final: bool
    model: str = AVERAGE


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When something held for the averaged model.

    Attributes:
        accuracy: of the average at that evaluation, on held-out data; null if there are no classes.
        loss: of the average at that evaluation, on held-out data; null if it is not finite.
        seconds: since the first worker began to train.
        job_samples: samples of the whole job by then.

    """

    accuracy: float | None
    loss: float | None
    seconds: float
    job_samples: int


class TargetResult(msgspec.Struct, frozen=True, kw_only=True):
    """The job's target and how soon it was met.

    Attributes:
        metric: `accuracy` or `loss`, of the average on held-out data.
        value: what was to be reached.
        reached: the first evaluation that met it; null if none did.

    """

    metric: str
    value: float
    reached: Moment | None


class WorkerTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker process did, as far as it told.

    Attributes:
        member: which.
        end: `finished`, `lost` (ended badly) or `unknown` (the log tells of no end).
        steps: its own optimizer steps, without those of a model that it copied.
        samples: samples.
        seconds: from its beginning to its end of training.
        steps_per_second: over those seconds; null if there were none.
        exchanges: exchanges completed.
        exchanges_lost: exchanges lost.
        exchanges_skipped: exchanges not begun because the one before was still under way.
        mean_staleness: mean age in steps of the models mixed in; null if there were none.
        received_bytes: model bytes received.
        sent_bytes: model bytes sent.
        unpublished: steps whose model was not published because readers held every buffer.

    """

    member: str
    end: Literal["finished", "lost", "unknown"]
    steps: int
    samples: int
    seconds: float
    steps_per_second: float | None
    exchanges: int
    exchanges_lost: int
    exchanges_skipped: int
    mean_staleness: float | None
    received_bytes: int
    sent_bytes: int
    unpublished: int


class LostMember(msgspec.Struct, frozen=True, kw_only=True):
    """A process that ended badly.

    Attributes:
        member: which.
        seconds: when, since the first worker began to train; negative if before.
        reason: why, in words.
        exit_code: its exit code; minus the number of the signal that killed it.

    """

    member: str
    seconds: float
    reason: str
    exit_code: int


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """A new process for a lost rank.

    Attributes:
        member: the new one.
        instead_of: the lost one.
        seconds: when, since the first worker began to train.

    """

    member: str
    instead_of: str
    seconds: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended.

    Attributes:
        job: the job's name.
        strategy: the strategy's type.
        num_workers: how many workers the job asks for.
        outcome: `succeeded`, `failed` or `interrupted`.
        reason: why it ended, in one line.
        training_seconds: from the first worker's beginning to the last one's end of training.
        job_samples: samples of all workers; what a killed worker did after its last record may be
            missing.
        epochs: job-wide passes over the training set; null if no worker told of one.
        budget_samples: the budget in samples; null for budgets of seconds or steps.
        overshoot_samples: samples beyond that budget, 0 if the run ended below it; null likewise.
        evaluations: how many evaluations there were.
        last_evaluation: the last one; null if there were none.
        best: the evaluation with the best accuracy or, where there are no classes, the lowest loss;
            the first of equals; null if there were none.
        target: the job's target; null if it has none.
        workers: every worker process, lost ones and replacements included.
        lost: processes that ended badly.
        replaced: processes started for lost ranks.
        files: what the run directory holds, this file included.

    """

    job: str
    strategy: str
    num_workers: int
    outcome: RunState
    reason: str
    training_seconds: float
    job_samples: int
    epochs: float | None
    budget_samples: int | None
    overshoot_samples: int | None
    evaluations: int
    last_evaluation: Measured | None
    best: Moment | None
    target: TargetResult | None
    workers: tuple[WorkerTotals, ...]
    lost: tuple[LostMember, ...]
    replaced: tuple[Replacement, ...]
    files: tuple[str, ...]


def write_summary(summary: Summary, path: Path) -> None:
    """Write the summary as indented JSON."""
    path.write_bytes(as_json(summary))


def as_json(summary: Summary) -> bytes:
    """Return the summary as indented JSON that ends in a line break."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"
