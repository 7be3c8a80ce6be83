"""Finds the model that a run left, in its directory or among its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import safe_open

from gossip_trainer.checkpoint.objects import is_bucket
from gossip_trainer.checkpoint.store import CheckpointStore
from gossip_trainer.cli.errors import InvalidCommand
from gossip_trainer.launch.resumption import CHECKPOINTS_FOLDER
from gossip_trainer.page.sources import JOB
from gossip_trainer.process.evaluator import MODEL_FILE
from gossip_trainer.process.model_keeper import BEST, FINAL, LAST, merit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """The average of a job's workers at one time.

    Attributes:
        kind: which it is: the final one, the best, or the last that was evaluated.
        state: a state dict.
        samples: of the whole job, until then.
        loss: on held-out data, None if it was not finite.
        accuracy: the same; None without classes.

    """

    kind: str
    state: Mapping[str, Tensor]
    samples: int
    loss: float | None
    accuracy: float | None

    @property
    def merit(self) -> float:
        """How good it is, more being better."""
        merit = merit_of(self.accuracy, self.loss)
        return float("-inf") if merit is None else merit


def find_trained_model(run: str, *, best: bool) -> TrainedModel:
    """Return the final model of a run, or the last that was evaluated where there is none.

    A run that was cut short and resumed has a final model of that time: the later one counts.

    Args:
        run: directory of a run, or folder or bucket's URL of a job's checkpoints.
        best: return the best of all that were evaluated instead.

    Raises:
        InvalidCommand: there is none.
        CheckpointError: the storage does not answer.

    """
    root, file = _places(run)
    final = _read(file) if file is not None and file.exists() else _newest(root, FINAL)
    if best:
        found = _newest(root, BEST)
        if found is None:
            raise InvalidCommand(
                f"{run}: keeps no best model; a job does that if it has spec.checkpoint"
            )
        return max((found, *([final] if final else [])), key=lambda model: model.merit)
    there = [model for model in (final, _newest(root, LAST)) if model is not None]
    found = max(there, key=lambda model: model.samples, default=None)
    if found is None:
        raise InvalidCommand(
            f"{run}: holds no model; a job leaves one at its end, and with spec.checkpoint at "
            "every evaluation"
        )
    return found


def job_file_of(run: str) -> Path | None:
    """Return the job file in the directory of a run; None if `run` is none."""
    path = Path(run) / JOB
    return path if not is_bucket(run) and path.exists() else None


def _places(run: str) -> tuple[str, Path | None]:
    """Return where checkpoints lie, and which file the final model is if they are of a run."""
    if is_bucket(run):
        return run, None
    if job_file_of(run) is not None:
        return str(Path(run) / CHECKPOINTS_FOLDER), Path(run) / MODEL_FILE
    if not Path(run).is_dir():
        raise InvalidCommand(
            f"{run}: is neither the directory of a run nor a folder or URL (s3://, gs://) of a "
            "job's checkpoints"
        )
    return run, None


def _newest(root: str, kind: str) -> TrainedModel | None:
    checkpoint = CheckpointStore(root, kind, keep=1).newest()
    if checkpoint is None:
        return None
    facts = {name: str(value) for name, value in checkpoint.facts.items()}
    return _model(kind, checkpoint.tensors, facts)


def _read(file: Path) -> TrainedModel:
    with safe_open(file, framework="pt") as opened:
        state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no dict
        return _model(FINAL, state, opened.metadata() or {})


def _model(kind: str, state: Mapping[str, Tensor], facts: Mapping[str, str]) -> TrainedModel:
    def number(name: str) -> float | None:
        text = facts.get(name, "None")
        return None if text == "None" else float(text)

    return TrainedModel(
        kind=kind,
        state=state,
        samples=int(facts["samples"]),
        loss=number("loss"),
        accuracy=number("accuracy"),
    )
