"""`gossip export`: the model that a run trained, as one file for other programs."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from safetensors import SafetensorError

from gossip_api.loading import load_job
from gossip_trainer.cli.errors import OK, InvalidCommand
from gossip_trainer.cli.trained_model import find_trained_model, job_file_of
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.data.sampler import Share
from gossip_trainer.data.stream import StreamPlan
from gossip_trainer.evaluation.recalibration import recalibrate_
from gossip_trainer.evaluation.scoring import score
from gossip_trainer.models.registry import build_model
from gossip_trainer.replica.export import write_state

if TYPE_CHECKING:
    from gossip_api.job import GossipTrainingJob
    from gossip_trainer.cli.trained_model import TrainedModel
    from gossip_trainer.replica.export import ModelFormat

ENDINGS: Final[dict[ModelFormat, tuple[str, ...]]] = {
    "safetensors": (".safetensors",),
    "torch": (".pt", ".pth", ".bin"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What the command line of `gossip export` asks for; the options' help says what each means."""

    run: str
    output: Path | None = None
    model_format: ModelFormat | None = None
    best: bool = False
    recalibrate: int | None = None
    job: Path | None = None


def export(request: ExportRequest) -> int:
    """Write the model and print where and how good it is; return the exit code."""
    model_format = request.model_format or _format_of(request.output)
    output = request.output or Path(f"model{ENDINGS[model_format][0]}")
    if output.exists():
        raise InvalidCommand(f"{output}: exists already; name another file with --output")
    if not output.parent.is_dir():
        raise InvalidCommand(
            f"{output}: there is no folder {output.parent}; name another with --output"
        )
    job_file = request.job or job_file_of(request.run)
    job = None if job_file is None else load_job(job_file)
    model = find_trained_model(request.run, best=request.best)
    if request.recalibrate is not None:
        if job is None:
            raise InvalidCommand(
                "--recalibrate needs the job's model and data; name its job file with --job"
            )
        model = _recalibrated(model, job, request.recalibrate)
    facts = _facts(model, job)
    try:
        write_state(model.state, output, facts, model_format)
    except (OSError, RuntimeError, SafetensorError) as error:  # RuntimeError: torch.save's
        why = str(error).rpartition("] . ")[2]  # without the place in torch's own source
        raise InvalidCommand(f"{output}: cannot be written: {why}") from error
    sys.stdout.write(f"{output}: {_in_words(model)}\n")
    return OK


def _format_of(output: Path | None) -> ModelFormat:
    return "torch" if output is not None and output.suffix in ENDINGS["torch"] else "safetensors"


def _recalibrated(model: TrainedModel, job: GossipTrainingJob, num_batches: int) -> TrainedModel:
    """Return the model with batch-norm statistics of its own, and how good it is with them."""
    # A user's model is looked for here, as by the other commands.
    sys.path.insert(0, str(Path.cwd()))
    training = job.spec.training
    dataset = load_dataset(training.data, training.seed)
    module = build_model(
        training.model,
        input_shape=dataset.input_shape,
        num_classes=dataset.num_classes,
        seed=training.seed,
    )
    try:
        module.load_state_dict(dict(model.state))
    except RuntimeError as error:
        raise InvalidCommand(f"the model is not that of the job: {error}") from error
    everything = StreamPlan(
        batch_size=training.batch_size,
        share=Share(0, 1),
        sharding="Shared",
        seed=training.seed,
        stream=0,
    )
    batches = dataset.stream(everything)
    try:
        recalibrate_(module, batches, num_batches)
    finally:
        batches.close()
    found = score(module, dataset)
    return replace(model, state=module.state_dict(), loss=found.loss, accuracy=found.accuracy)


def _facts(model: TrainedModel, job: GossipTrainingJob | None) -> dict[str, str]:
    """Return what is stored beside the tensors."""
    facts = {
        "job": None if job is None else job.metadata.name,
        "samples": model.samples,
        "loss": model.loss,
        "accuracy": model.accuracy,
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _in_words(model: TrainedModel) -> str:
    loss = "not finite" if model.loss is None else f"{model.loss:.4f}"
    accuracy = "" if model.accuracy is None else f", accuracy {model.accuracy:.4f}"
    return f"the {model.kind} model, after {model.samples:,} samples: loss {loss}{accuracy}"
