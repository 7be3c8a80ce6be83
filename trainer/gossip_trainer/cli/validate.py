"""`gossip validate` tells whether a job file is in order.

Imports nothing that trains, except where only torchvision knows whether there is such a model, and
where data and model of this machine are to be tried.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gossip_api.errors import InvalidJob
from gossip_api.training import BUILT_IN_MODELS
from gossip_trainer.cli.errors import INVALID, OK
from gossip_trainer.cli.job import load
from gossip_trainer.errors import GossipTrainerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gossip_api.job import GossipTrainingJob


def validate(
    path: Path, overrides: Sequence[str], output: Literal["text", "json"], *, here: bool = False
) -> int:
    """Print whether the job is valid, or all that is wrong with it; return the exit code."""
    if output == "text":
        job = load(path, overrides)  # an invalid job is told of as by every other command
        if faults := _faults(job, here=here):
            sys.stderr.writelines(f"{path}: {fault}\n" for fault in faults)
            return INVALID
        workers = job.spec.workers.replicas
        noun = "worker" if workers == 1 else "workers"
        line = f"{path}: valid: {job.metadata.name}, {job.spec.strategy.type}, {workers} {noun}"
        sys.stdout.write(f"{line}\n")
        return OK
    try:
        problems = _faults(load(path, overrides), here=here)
    except InvalidJob as error:
        problems = [str(problem) for problem in error.problems]
    json.dump({"valid": not problems, "problems": problems}, sys.stdout)
    sys.stdout.write("\n")
    return INVALID if problems else OK


def _faults(job: GossipTrainingJob, *, here: bool) -> list[str]:
    """Return what is wrong with a job that is in order as a document."""
    checks = [_check_model_name, _check_command]
    if here:
        checks.append(_check_data_and_model)
    faults = []
    for check in checks:
        try:
            check(job)
        except GossipTrainerError as error:
            faults.append(str(error))
    return list(dict.fromkeys(faults))


def _check_model_name(job: GossipTrainingJob) -> None:
    name = job.spec.training.model.name
    if name not in BUILT_IN_MODELS and ":" not in name:
        from gossip_trainer.models.registry import check_name  # noqa: PLC0415

        check_name(name)


def _check_command(job: GossipTrainingJob) -> None:
    from gossip_trainer.launch.own_command import own_command  # noqa: PLC0415

    own_command(job)


def _check_data_and_model(job: GossipTrainingJob) -> None:
    from gossip_trainer.data.registry import load_dataset  # noqa: PLC0415
    from gossip_trainer.replica.initial import initial_model  # noqa: PLC0415

    sys.path.insert(0, str(Path.cwd()))  # the user's own modules lie there, as for `gossip run`
    training = job.spec.training
    data = load_dataset(training.data, training.seed)
    initial_model(training, input_shape=data.input_shape, num_classes=data.num_classes)
