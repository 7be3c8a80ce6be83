"""Loads the job that a command line means. Knows no command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_api.loading import load_job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
