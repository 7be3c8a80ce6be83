"""`gossip validate` tells whether a job file is in order.

Imports nothing that trains, except where only torchvision knows whether there is such a model.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Literal

from gossip_api.errors import InvalidJob
from gossip_api.training import BUILT_IN_MODELS
from gossip_trainer.cli.errors import INVALID, OK
from gossip_trainer.cli.job import load
from gossip_trainer.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gossip_api.job import GossipTrainingJob


def validate(path: Path, overrides: Sequence[str], output: Literal["text", "json"]) -> int:
    """Print whether the job is valid, or all that is wrong with it; return the exit code."""
    if output == "text":
        job = load(path, overrides)  # an invalid job is told of as by every other command
        if fault := _fault_of_model(job):
            sys.stderr.write(f"{path}: {fault}\n")
            return INVALID
        workers = job.spec.workers.replicas
        noun = "worker" if workers == 1 else "workers"
        line = f"{path}: valid: {job.metadata.name}, {job.spec.strategy.type}, {workers} {noun}"
        sys.stdout.write(f"{line}\n")
        return OK
    problems: list[str] = []
    try:
        fault = _fault_of_model(load(path, overrides))
        problems = [fault] if fault else []
    except InvalidJob as error:
        problems = [str(problem) for problem in error.problems]
    json.dump({"valid": not problems, "problems": problems}, sys.stdout)
    sys.stdout.write("\n")
    return INVALID if problems else OK


def _fault_of_model(job: GossipTrainingJob) -> str:
    """Return what is wrong with the model's name, which the job document itself cannot know."""
    name = job.spec.training.model.name
    if name in BUILT_IN_MODELS or ":" in name:
        return ""
    from gossip_trainer.models.registry import check_name  # noqa: PLC0415

    try:
        check_name(name)
    except ModelError as error:
        return str(error)
    return ""
