"""Exports the scalars of a run's event log for TensorBoard."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gossip_trainer.errors import GossipTrainerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gossip_trainer.observability.events import Evaluation, Progress
    from gossip_trainer.page.sources import RunLog

EVALUATED = ("loss", "accuracy", "consensus_distance", "relative_consensus_distance")
TOLD = (
    "loss", "learning_rate", "samples_per_second", "staleness", "exchanges", "lost",
    "received_bytes", "sent_bytes",
)  # fmt: skip

Scalar = tuple[str, float, int, float]  # tag, value, step, seconds since the epoch


class TensorBoardMissing(GossipTrainerError):  # noqa: N818 - it names the package
    """The package is not installed; the text says how to install it."""


def export(log: RunLog, folder: Path) -> None:
    """Write a run's evaluations into `folder`/evaluation, and every process's reports beside it.

    The step of an evaluation is the samples of the whole job; that of a report the process's own
    optimizer step. What is not finite is written as NaN.

    Raises:
        TensorBoardMissing: the optional package is not installed.

    """
    try:
        # An optional extra, and half a second to import.
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415
    except ImportError as error:
        raise TensorBoardMissing(
            "exporting for TensorBoard needs its package: "
            "pip install 'gossip-training[tensorboard]'"
        ) from error
    for name, scalars in _by_folder(log):
        with SummaryWriter(folder / name) as writer:
            for tag, value, step, time in scalars:
                writer.add_scalar(tag, value, step, walltime=time)


def _by_folder(log: RunLog) -> Iterator[tuple[str, Iterator[Scalar]]]:
    yield "evaluation", (each for told in log.history.evaluations for each in _evaluated(told))
    for worker in log.history.workers.values():
        yield worker.name, (each for told in worker.progress for each in _told(told))


def _evaluated(told: Evaluation) -> Iterator[Scalar]:
    for name in EVALUATED:
        value = getattr(told, name)
        if value is not None or name != "accuracy":  # without classes there is no accuracy
            yield f"evaluation/{name}", _number(value), told.job_samples, told.time


def _told(told: Progress) -> Iterator[Scalar]:
    for name in TOLD:
        value = getattr(told, name)
        if value is not None or name != "staleness":  # without exchanges there is no staleness
            yield f"worker/{name}", _number(value), told.step, told.time


def _number(value: float | None) -> float:
    return math.nan if value is None else value
