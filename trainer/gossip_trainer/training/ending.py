"""When a worker has done enough: the budget, the stop record, and what all agree on.

Workers that never meet end each from what it knows. Where all meet, they decide from what they
agreed on there and from how far each has gone since, which is the same for all: nobody ends while
the others wait for it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from gossip_trainer.progress.budget import BudgetMeter, Done
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.training.collective import Agreement
from gossip_trainer.training.links import Progress


@dataclass(frozen=True, slots=True)
class Limits:
    """When a worker ends by itself."""

    meter: BudgetMeter
    active_deadline: timedelta | None = None


class Wishes(NamedTuple):
    """What a worker wants all that meet to do after this step: each is done if anybody wants it."""

    stop: bool
    leave: bool
    save: bool


class Ending:
    """One worker's judgement.

    Args:
        name: the member's name, written into the stop record if this worker ends the job.
        limits: when to end.
        progress: how far the job is.
        meeting_size: how many workers meet, 0 if they never do.
        wall_clock: seconds since the epoch.

    Attributes:
        samples_since_meeting: own ones that no meeting has counted yet.
        wants_to_save: whether it is time to save the worker's state.

    """

    def __init__(
        self,
        name: str,
        limits: Limits,
        progress: Progress,
        *,
        meeting_size: int = 0,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._limits = limits
        self._progress = progress
        self.meeting_size = meeting_size
        self._wall_clock = wall_clock
        self._agreed = Agreement(samples=0, stop=False)
        self._leaving = False
        self._has_told = False  # the others, that this worker leaves
        self.samples_since_meeting = 0
        self.wants_to_save = False

    @property
    def job_samples(self) -> int:
        """Samples of the whole job; where all meet, the same for all at the same step."""
        if self.meeting_size:
            return self._agreed.samples + self.samples_since_meeting * self.meeting_size
        return self._progress.samples

    @property
    def epoch(self) -> float:
        """Job-wide passes over the training set."""
        return self._limits.meter.epoch(self.job_samples)

    @property
    def seconds(self) -> float:
        """How long the job has trained."""
        return self._progress.seconds(self._wall_clock())

    def times(self) -> dict[str, float]:
        """Return what a successor counts the job's seconds on from."""
        progress, now = self._progress, self._wall_clock()
        return {
            "seconds": progress.seconds(now),
            "earlier": progress.earlier_seconds,
            "at": now,
        }

    def count_on(self, times: Mapping[str, float]) -> None:
        """Count the job's seconds on from what another process of this rank returned.

        Of what it did since the processes that train now began, they count the seconds themselves.
        """
        is_theirs = times["at"] > self._progress.began
        self._progress.earlier_seconds = times["earlier" if is_theirs else "seconds"]

    @property
    def is_to_save(self) -> bool:
        """Whether to save after this step; where all meet they save at the same one."""
        return self._agreed.save if self.meeting_size else self.wants_to_save

    @property
    def has_left(self) -> bool:
        """Whether the worker ends because it was told to go, and the job goes on without it."""
        return self._leaving and self._progress.stop is None

    def leave(self) -> None:
        """End after the step under way; safe to call from a signal handler."""
        self._leaving = True

    @property
    def agreed_samples(self) -> int:
        """Samples of the whole job up to the newest meeting."""
        return self._agreed.samples

    def go_on_from(self, agreed_samples: int, since: int) -> None:
        """Count on from where another worker stands."""
        self._agreed = Agreement(agreed_samples, stop=False)
        self.samples_since_meeting = since

    def wishes(self, steps: int) -> Wishes:
        """Return what to tell the others when all meet."""
        self._has_told = self._leaving
        return Wishes(self._is_at_end(steps), self._leaving, self.wants_to_save)

    def agree(self, agreement: Agreement) -> None:
        """Take in what a meeting came to; its samples are those since the meeting before."""
        self._agreed = replace(agreement, samples=self._agreed.samples + agreement.samples)
        self.samples_since_meeting = 0

    def diverged(self) -> None:
        """End the job: a loss or gradient is not finite."""
        self._end(StopReason.DIVERGED)

    def has_saved(self) -> None:
        """Note that the worker's state was saved."""
        self.wants_to_save = False
        self._agreed = replace(self._agreed, save=False)

    def is_due(self, steps: int) -> bool:
        """Tell after `steps` own steps whether the step just done was the last."""
        if not self.meeting_size:
            return self.is_wished(steps)
        # Only what all know alike: clocks differ, so a budget of seconds is met by agreement.
        if self._limits.meter.is_used_up(Done(self.job_samples, seconds=0.0, steps=steps)):
            return self._use_up()
        return self._agreed.stop or self._has_told

    def is_wished(self, steps: int) -> bool:
        """Tell whether this worker, from what it knows by itself, would end now."""
        return self._leaving or self._is_at_end(steps)

    def is_over(self, steps: int) -> bool:
        """Tell whether waiting for others is in vain.

        A budget of steps ends this worker alone: the others go on, and answer it.
        """
        return self.is_wished(steps) and (self._leaving or self._progress.stop is not None)

    def _is_at_end(self, steps: int) -> bool:
        progress = self._progress
        if progress.stop is not None:
            return True
        done = Done(self.job_samples, self.seconds, steps)
        deadline = self._limits.active_deadline
        if deadline is not None and done.seconds >= deadline.total_seconds():
            self._end(StopReason.DEADLINE)
            return True
        return self._limits.meter.is_used_up(done) and self._use_up()

    def _use_up(self) -> bool:
        # A budget of steps is each worker's own; every other one ends the job for all.
        if self._limits.meter.budget.steps_per_worker is None:
            self._end(StopReason.BUDGET)
        return True

    def _end(self, reason: StopReason) -> None:
        self._progress.end(reason, self._name, self._wall_clock())
