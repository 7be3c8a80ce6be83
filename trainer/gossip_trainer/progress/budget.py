"""When a job has done what it was asked to do. Pure."""

from dataclasses import dataclass

from gossip_api.training import Budget


@dataclass(frozen=True, slots=True)
class Done:
    """What has been done, as far as one worker knows."""

    samples: int  # by all workers
    seconds: float  # since the first worker began
    steps: int  # by this worker


@dataclass(frozen=True, slots=True)
class BudgetMeter:
    """Measures progress against a budget.

    Attributes:
        budget: the job's budget; exactly one of its fields is set.
        epoch_samples: examples of the training set, which make one job-wide epoch.
        steps_samples: samples that one step of every worker adds, for `stepsPerWorker`.

    """

    budget: Budget
    epoch_samples: int
    steps_samples: int

    def is_used_up(self, done: Done) -> bool:
        """Tell whether the job (with `stepsPerWorker`: this worker) is to end."""
        budget = self.budget
        if budget.steps_per_worker is not None:
            return done.steps >= budget.steps_per_worker
        if budget.seconds is not None:
            return done.seconds >= budget.seconds
        total = self.total_samples
        return total is not None and done.samples >= total

    @property
    def total_samples(self) -> int | None:
        """Samples of all workers at the end; None if only the clock tells."""
        budget = self.budget
        if budget.samples is not None:
            return budget.samples
        if budget.epochs is not None:
            return round(budget.epochs * self.epoch_samples)
        if budget.steps_per_worker is not None:
            return budget.steps_per_worker * self.steps_samples
        return None

    @property
    def total_epochs(self) -> float | None:
        """The budget in job-wide epochs; None if only the clock tells."""
        total = self.total_samples
        return None if total is None else total / self.epoch_samples

    def epoch(self, samples: int) -> float:
        """Return the job-wide epoch after `samples` samples."""
        return samples / self.epoch_samples

    def fraction(self, done: Done) -> float:
        """Return how much of the budget is used, in [0, 1]."""
        budget = self.budget
        if budget.steps_per_worker is not None:
            return min(1.0, done.steps / budget.steps_per_worker)
        if budget.seconds is not None:
            return min(1.0, done.seconds / budget.seconds)
        total = self.total_samples
        return min(1.0, done.samples / total) if total else 0.0
