"""How much of its budget a run has used, and how long the rest will take. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossip_trainer.progress.budget import BudgetMeter, Done

if TYPE_CHECKING:
    from gossip_api.training import Budget
    from gossip_trainer.report.history import History


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a run stands.

    Attributes:
        seconds: that the job has trained, before it was resumed too.
        fraction: of the budget, in [0, 1].
        seconds_left: at the average speed of this run's processes so far, whatever earlier ones did
            of a run that was resumed; None as long as there is none.

    """

    seconds: float
    fraction: float
    seconds_left: float | None


def pace(history: History, budget: Budget) -> Pace | None:
    """Return where the run stands at its newest record; None before the training has begun."""
    if history.began_at is None or history.last_time is None:
        return None
    found, here = _begun_with(history), max(0.0, history.seconds_at(history.last_time))
    seconds = found.seconds + here
    meter = BudgetMeter(budget, epoch_samples=history.epoch_samples or 0, steps_samples=0)
    alive = [worker.steps for worker in history.workers.values() if not worker.is_lost]
    done = Done(samples=history.job_samples, seconds=seconds, steps=min(alive, default=0))
    fraction = meter.fraction(done)
    gained = fraction - meter.fraction(found)
    return Pace(seconds, fraction, here * (1 - fraction) / gained if gained > 0 else None)


def _begun_with(history: History) -> Done:
    """Return what the run's processes found done when the first of them began."""
    began = [worker.began for worker in history.workers.values() if worker.began]
    first = min(began, key=lambda record: record.time)
    steps = min(record.step for record in began)
    return Done(first.job_samples, seconds=first.earlier_seconds, steps=steps)
