"""Keeps the job's model as the evaluator finds it: the last, the best, and the final one.

Each is a state dict in safetensors, which any PyTorch program can read.
"""

from dataclasses import dataclass

from torch import nn

from gossip_trainer.checkpoint.files import TENSORS
from gossip_trainer.checkpoint.store import Checkpoint, CheckpointStore
from gossip_trainer.errors import CheckpointError
from gossip_trainer.observability.event_log import EventSink
from gossip_trainer.observability.events import Evaluation, Unsaved
from gossip_trainer.process.shell import Shell
from gossip_trainer.process.task import Task

LAST, BEST, FINAL = "last", "best", "final"


@dataclass(slots=True)
class ModelKeeper:
    """The evaluator's models below the job's checkpoints.

    Args:
        root: where the job's checkpoints lie.
        events: told of what could not be saved.

    """

    root: str
    events: EventSink
    _best: float | None = None

    def earlier_seconds(self, began: float) -> float:
        """Return how long the job had trained before the processes that began at `began`."""
        found = CheckpointStore(self.root, LAST, 1).newest()
        if found is None:
            return 0.0
        same = found.facts["began"] == began
        return float(str(found.facts["earlier" if same else "seconds"]))

    def keep(self, module: nn.Module, evaluation: Evaluation, began: float, earlier: float) -> None:
        """Keep an evaluated model as the last one, and as the best if it is."""
        facts = _facts(evaluation) | {"began": began, "earlier": earlier}
        checkpoint = _checkpoint(module, evaluation, facts)
        merit = merit_of(evaluation.accuracy, evaluation.loss)
        try:
            CheckpointStore(self.root, LAST, 1).save(checkpoint)
            if merit is not None and merit > self._best_merit():
                CheckpointStore(self.root, BEST, 1).save(checkpoint)
                self._best = merit
        except CheckpointError as error:
            # The next evaluation comes soon; the final model is another matter.
            self.events.emit(Unsaved.because(error))

    def keep_final(self, module: nn.Module, evaluation: Evaluation) -> str:
        """Keep the final model; return where it lies.

        Raises:
            CheckpointError: it could not be saved.

        """
        checkpoint = _checkpoint(module, evaluation, _facts(evaluation))
        return f"{CheckpointStore(self.root, FINAL, 1).save(checkpoint)}/{TENSORS}"

    def _best_merit(self) -> float:
        if self._best is None:
            found = CheckpointStore(self.root, BEST, 1).newest()
            facts = {} if found is None else found.facts
            accuracy, loss = facts.get("accuracy"), facts.get("loss")
            merit = merit_of(
                accuracy if isinstance(accuracy, float) else None,
                loss if isinstance(loss, float) else None,
            )
            self._best = float("-inf") if merit is None else merit
        return self._best


def open_keeper(shell: Shell, task: Task) -> ModelKeeper | None:
    """Return where the evaluator keeps its models, if it does."""
    root = shell.environment.checkpoints
    if root is None or task.job.spec.checkpoint is None:
        return None
    return ModelKeeper(root, shell.events)


def merit_of(accuracy: float | None, loss: float | None) -> float | None:
    """Return how good a model is, more being better: its accuracy where there is one."""
    if loss is None:
        return None
    return -loss if accuracy is None else accuracy


def _facts(evaluation: Evaluation) -> dict[str, float | int | None]:
    return {
        "samples": evaluation.job_samples,
        "epoch": evaluation.epoch,
        "seconds": evaluation.seconds,
        "loss": evaluation.loss,
        "accuracy": evaluation.accuracy,
    }


def _checkpoint(
    module: nn.Module, evaluation: Evaluation, facts: dict[str, float | int | None]
) -> Checkpoint:
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}
    return Checkpoint(evaluation.job_samples, tensors, facts)
