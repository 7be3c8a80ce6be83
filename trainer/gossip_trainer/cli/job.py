"""Loads the job that a command line means. Knows no command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_api.loading import load_job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from gossip_api.job import GossipTrainingJob


def load(path: Path, overrides: Sequence[str], *, workers: int | None = None) -> GossipTrainingJob:
    """Load a job with `--set` and `--workers` applied; InvalidJob says all that is wrong.

    `workers` goes before the job's own limits.
    """
    job = load_job(path, overrides)
    if workers is None:
        return job
    resized = job.spec.workers.resized(workers)
    changes = [f"spec.workers.{field}={number}" for field, number in resized.items()]
    return load_job(path, [*overrides, *changes])


def tell_what_is_simulated(job: GossipTrainingJob, progress: Console) -> None:
    """Say that virtual time knows nothing of a training script, if the job has one."""
    from gossip_trainer.launch.own_command import (  # noqa: PLC0415 - brings what starts processes
        PLACE,
        has_own_command,
    )

    if has_own_command(job):
        text = (
            f"the workers' own command ({PLACE}.command) is not run in virtual time: the built-in "
            "loop is simulated with the job's model, data, batch size and optimizer"
        )
        progress.print(text, markup=False, highlight=False, soft_wrap=True)
