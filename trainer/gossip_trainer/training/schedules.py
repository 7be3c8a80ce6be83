"""The learning rate as a pure function of the job-wide data epoch.

Job-wide: the samples of all workers together over the size of the data set, so that a schedule
means the same with any number of workers.
"""

import math
from bisect import bisect_right
from collections.abc import Callable

from gossip_api.job import JobSpec
from gossip_api.training import Optimizer, Schedule
from gossip_trainer.errors import RunError


def rate_of(spec: JobSpec, total_epochs: float | None) -> Callable[[float, int], float]:
    """Return the job's learning rate as a function of the job-wide epoch and the live workers.

    With `learningRateWorkers` it is in proportion to the live workers: fewer make smaller batches
    together, and the rate follows the batch (Goyal et al., arXiv:1706.02677). The number is one of
    its own, for `workers.replicas` changes when a job is scaled, and workers read it only once.
    """
    training, meant_for = spec.training, spec.training.learning_rate_workers

    def rate(epoch: float, num_live: int) -> float:
        plain = learning_rate(
            training.optimizer, training.schedule, epoch, total_epochs=total_epochs
        )
        return plain if meant_for is None else plain * num_live / meant_for

    return rate


def learning_rate(
    optimizer: Optimizer, schedule: Schedule, epoch: float, *, total_epochs: float | None
) -> float:
    """Return the learning rate at `epoch`.

    Warm-up is a factor that rises linearly from 0 to 1 over the first `warmup_epochs`. A cosine
    begins where it ends, so that its peak is the optimizer's learning rate.

    Args:
        optimizer: has the learning rate before the schedule.
        schedule: its shape.
        epoch: job-wide data epochs so far, fractional, >= 0.
        total_epochs: the budget, for a cosine without `epochs` of its own; None if unknown.

    Raises:
        RunError: a cosine has no length.

    """
    rate = optimizer.learning_rate
    match schedule.name:
        case "step":
            rate *= schedule.gamma ** bisect_right(schedule.milestones, epoch)
        case "cosine":
            low = schedule.min_learning_rate
            progress = _cosine_progress(schedule, epoch, total_epochs)
            rate = low + (rate - low) * (1.0 + math.cos(math.pi * progress)) / 2.0
        case "constant":
            pass
    if epoch < schedule.warmup_epochs:
        rate *= epoch / schedule.warmup_epochs
    return rate


def _cosine_progress(schedule: Schedule, epoch: float, total_epochs: float | None) -> float:
    """Return how far between the end of warm-up (0) and the end of the cosine (1)."""
    end = schedule.epochs if schedule.epochs is not None else total_epochs
    if end is None:
        raise RunError(
            "spec.training.schedule: a cosine needs a length, and the budget has none in epochs; "
            "set spec.training.schedule.epochs"
        )
    begin = schedule.warmup_epochs
    if epoch <= begin:
        return 0.0
    return min(1.0, (epoch - begin) / (end - begin)) if end > begin else 1.0
