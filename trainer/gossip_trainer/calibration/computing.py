"""How long a worker computes: a real run of the job with one worker, whose steps are timed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gossip_trainer.calibration.stopwatch import NAME, read_laps
from gossip_trainer.errors import RunError
from gossip_trainer.launch.local_run import RunOptions, run_locally

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from gossip_api.job import GossipTrainingJob, JobSpec

WARM_UP_STEPS = 10  # first calls of kernels and allocators, and the evaluator's first look
MOMENTS = "moments"


def alone(job: GossipTrainingJob, folder: Path, steps: int) -> list[str]:
    """List what to set in `job` so that one worker computes `steps` steps and talks to nobody.

    It publishes as every worker does, but has no peer, server or meeting. Neither schedule nor
    learning rate changes how long a step takes; a tiny rate keeps the model from diverging.
    """
    model = {
        "model": job.spec.training.model.model_dump(mode="json", by_alias=True),
        "seed": job.spec.training.seed,
        "file": str((folder / MOMENTS).absolute()),
    }
    values: dict[str, object] = {
        "strategy": {"type": "Gossip", "gossip": {"exchange": "Pull"}},
        "server": None,
        "workers": {"replicas": 1, "minReplicas": 1},
        "training.model": {"name": NAME, "args": model},
        "training.budget": {"stepsPerWorker": WARM_UP_STEPS + steps + 1},
        "training.target": None,
        "training.schedule": None,
        "training.optimizer.learningRate": 1e-9,
        "evaluation": {"every": "24h"},
    }
    return [f"spec.{path}={json.dumps(value)}" for path, value in values.items()]


def time_steps(job: GossipTrainingJob, folder: Path, threads: int | None) -> NDArray[np.float64]:
    """Run a job that `alone` made in `folder`; return the seconds of each step, shape (steps,).

    Raises:
        RunError: the run failed.
        KeyboardInterrupt: it was interrupted.

    """
    options = RunOptions(out=folder / "run", threads=threads)
    outcome = run_locally(job, options, lambda _records: None)
    if outcome.state == "interrupted":
        raise KeyboardInterrupt
    if outcome.state == "failed":
        raise RunError(f"the run with one worker failed: {outcome.reason}")
    return read_laps(
        folder / MOMENTS, skip=WARM_UP_STEPS, forwards_per_step=forwards_per_step(job.spec)
    )


def forwards_per_step(spec: JobSpec) -> int:
    """Return how often a worker's model is asked in one step: by every device, part by part."""
    devices = spec.workers.devices_per_worker
    share = spec.training.batch_size // devices
    part = -(-share // spec.training.gradient_accumulation)
    return devices * -(-share // part)
