"""`gossip validate`: is this job file in order? Imports nothing that trains."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Literal

from gossip_api.errors import InvalidJob
from gossip_trainer.cli.errors import INVALID, OK
from gossip_trainer.cli.job import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def validate(path: Path, overrides: Sequence[str], output: Literal["text", "json"]) -> int:
    """Print whether the job is valid, or all that is wrong with it; return the exit code."""
    if output == "text":
        job = load(path, overrides)  # an invalid job is told of as by every other command
        workers = job.spec.workers.replicas
        noun = "worker" if workers == 1 else "workers"
        line = f"{path}: valid: {job.metadata.name}, {job.spec.strategy.type}, {workers} {noun}"
        sys.stdout.write(f"{line}\n")
        return OK
    problems: list[str] = []
    try:
        load(path, overrides)
    except InvalidJob as error:
        problems = [str(problem) for problem in error.problems]
    json.dump({"valid": not problems, "problems": problems}, sys.stdout)
    sys.stdout.write("\n")
    return INVALID if problems else OK
