"""The step boundary: publish, mix in, communicate, count, report, and stop or go on.

A training loop calls it at two places, when the gradient is ready and when the optimizer has
stepped. It owns the worker's algorithm and the effects under way. It knows nothing of the loop, the
data, the model's kind or where the worker runs.

The order after a step: x is published as the step left it, before any mixing, which is what the
paper's peers see; then what arrived since the boundary before is mixed in; then the algorithm
is asked what to do next. If it wants to wait, the worker waits and mixes before the next forward.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from torch.optim import Optimizer

from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import Average, Effects, Fetch, Loss, Wait
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.view import View
from gossip_trainer.errors import RunError
from gossip_trainer.membership.peers import Peers
from gossip_trainer.progress.budget import BudgetMeter, Done
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.flat import FlatModel, iterate_of
from gossip_trainer.replica.snapshots import Snapshots
from gossip_trainer.training.collective import Collective
from gossip_trainer.training.counters import Counters
from gossip_trainer.training.exchange import Arrived, Exchange, Lost
from gossip_trainer.transport.wire import SnapshotHeader

WAIT_SLICE_SECONDS = 0.5  # how soon a waiting worker notices that the job ends
FINAL_PUBLISH_SECONDS = 30.0


class Observer(Protocol):
    """Told what happens at the boundary; must not block."""

    def stepped(self, boundary: "StepBoundary") -> None:
        """Note that a step is complete."""
        ...

    def exchange_lost(self, peer: str, step: int, reason: str) -> None:
        """Note that a fetch came to nothing."""
        ...

    def view_changed(self, view: View) -> None:
        """Note that the algorithm works with a new view."""
        ...


@dataclass(frozen=True, slots=True)
class Links:
    """What connects a worker with the others; `collective` only where the strategy needs one."""

    snapshots: Snapshots
    peers: Peers
    exchange: Exchange
    progress: JobProgress
    collective: Collective | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """When a worker ends by itself."""

    meter: BudgetMeter
    active_deadline: timedelta | None = None


class StepBoundary:
    """One worker's step boundary.

    Attributes:
        counters: what this worker has done.
        name: the member's name, written into the stop record if this worker ends the job.

    `first_step` is the step of the model a late worker copied; it counts on from there.

    """

    def __init__(  # noqa: PLR0913 - the parts it puts together
        self,
        name: str,
        *,
        algorithm: Algorithm,
        model: FlatModel,
        optimizer: Optimizer,
        links: Links,
        limits: Limits,
        observer: Observer,
        first_step: int = 0,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.counters = Counters(steps=first_step)
        self._algorithm = algorithm
        self._model = model
        self._optimizer = optimizer
        self._links = links
        self._limits = limits
        self._observer = observer
        self._clock = clock
        self._wall_clock = wall_clock
        self._samples = 0  # of the step under way
        self._agreed_samples = 0
        self._agreed_stop = False
        self._leaving = False

    @property
    def job_samples(self) -> int:
        """Samples of the whole job; with a collective, as all workers agreed."""
        if self._links.collective is not None:
            return self._agreed_samples
        return self._links.progress.samples

    @property
    def epoch(self) -> float:
        """Job-wide passes over the training set, the clock of the learning-rate schedule."""
        return self._limits.meter.epoch(self.job_samples)

    @property
    def view(self) -> View:
        """Who this worker chooses its peers from."""
        return self._links.peers.view

    @property
    def own_samples(self) -> int:
        """Samples of this process."""
        return self._links.progress.own_samples

    def leave(self) -> None:
        """End after the step under way; safe to call from a signal handler."""
        self._leaving = True

    def gradient_ready(self, samples: int) -> None:
        """After backward and before the optimizer; `samples` is the size of the batch."""
        self._samples = samples
        x = iterate_of(self._model, self._optimizer)
        self._carry_out(self._algorithm.on_gradient(x, self._model.gradient), x)

    def step_done(self, loss: float) -> bool:
        """After the optimizer's step; return whether to go on training."""
        counters = self.counters
        counters.steps += 1
        if math.isfinite(loss):
            counters.loss_sum += loss
        else:
            counters.nonfinite += 1
        self._links.progress.count(self._samples)
        x = iterate_of(self._model, self._optimizer)
        if not self._links.snapshots.publish(x, self._header(loss)):
            counters.unpublished += 1
        self._deliver(x)
        self._carry_out(self._algorithm.on_step(x), x)
        if self._links.peers.refresh(self._clock()):
            self._carry_out(self._algorithm.on_view(self.view), x)
            self._observer.view_changed(self.view)
        self._observer.stepped(self)
        return not self._must_stop()

    def finish(self) -> None:
        """Publish the final model, which peers and the evaluator may read from now on.

        Raises:
            RunError: readers held every buffer until the deadline.

        """
        x = iterate_of(self._model, self._optimizer)
        header = self._header(None, finished=True)
        deadline = self._clock() + FINAL_PUBLISH_SECONDS
        while not self._links.snapshots.publish(x, header):
            if self._clock() > deadline:
                raise RunError(f"{self.name}: no buffer for the final model came free in time")
            time.sleep(0.01)

    def _carry_out(self, effects: Effects, x: Iterate) -> None:
        for effect in effects:
            match effect:
                case Fetch():
                    self._begin(effect, x)
                case Average(vector):
                    assert self._links.collective is not None
                    self._links.collective.begin(
                        vector, samples=self._samples, stop=self._wishes_to_stop()
                    )
                case Wait(Average()):
                    self._agree()
                case Wait(Fetch()):
                    self._wait(x)

    def _begin(self, fetch: Fetch, x: Iterate) -> None:
        links = self._links
        peer = links.peers.endpoint(fetch.peer)
        if peer is None:
            self._carry_out(self._algorithm.on_lost(fetch, Loss.PEER), x)
        elif links.exchange.busy:
            self.counters.skipped += 1
            self._carry_out(self._algorithm.on_lost(fetch, Loss.BUSY), x)
        else:
            links.exchange.begin(fetch, peer)

    def _deliver(self, x: Iterate, wait_seconds: float = 0.0) -> bool:
        outcome = self._links.exchange.collect(wait_seconds)
        match outcome:
            case None:
                return False
            case Arrived():
                self._mix_in(outcome, x)
            case Lost():
                self._note_loss(outcome, x)
        return True

    def _mix_in(self, arrived: Arrived, x: Iterate) -> None:
        counters, message = self.counters, arrived.message
        counters.exchanges += 1
        counters.received_bytes += message.vector.nbytes
        counters.staleness_sum += counters.steps - message.step
        if arrived.finished:
            self._links.peers.finished(arrived.peer, self._clock())
        else:
            self._links.peers.answered(arrived.peer)
        self._carry_out(self._algorithm.on_message(arrived.fetch.peer, message, x), x)

    def _note_loss(self, lost: Lost, x: Iterate) -> None:
        self.counters.lost += 1
        if lost.suspect:
            self._links.peers.lost(lost.peer, self._clock())
        self._observer.exchange_lost(lost.peer, self.counters.steps, lost.reason)
        self._carry_out(self._algorithm.on_lost(lost.fetch, Loss.PEER), x)

    def _wait(self, x: Iterate) -> None:
        # The transport bounds every fetch by a deadline on its progress; only the end of the job
        # cuts a wait short.
        while self._links.exchange.busy and not self._wishes_to_stop():
            if self._deliver(x, WAIT_SLICE_SECONDS):
                return

    def _agree(self) -> None:
        assert self._links.collective is not None
        agreement = self._links.collective.wait()
        self._agreed_samples += agreement.samples
        self._agreed_stop = agreement.stop

    def _must_stop(self) -> bool:
        if self._links.collective is None:
            return self._wishes_to_stop()
        # Only what all have agreed on: clocks differ, so a budget of seconds is met by agreement.
        agreed = Done(self._agreed_samples, seconds=0.0, steps=self.counters.steps)
        if self._limits.meter.is_used_up(agreed):
            return self._use_up()
        return self._agreed_stop

    def _wishes_to_stop(self) -> bool:
        """Tell whether this worker, from what it knows by itself, would end now."""
        progress = self._links.progress
        if self._leaving and self._links.collective is not None:
            # A collective cannot go on without one of its members.
            progress.end(StopReason.INTERRUPTED, self.name, self._wall_clock())
        if progress.stop is not None or self._leaving:
            return True
        done = self._done()
        deadline = self._limits.active_deadline
        if deadline is not None and done.seconds >= deadline.total_seconds():
            progress.end(StopReason.DEADLINE, self.name, self._wall_clock())
            return True
        return self._limits.meter.is_used_up(done) and self._use_up()

    def _use_up(self) -> bool:
        # A budget of steps is each worker's own; every other one ends the job for all.
        if self._limits.meter.budget.steps_per_worker is None:
            self._links.progress.end(StopReason.BUDGET, self.name, self._wall_clock())
        return True

    def _done(self) -> Done:
        seconds = self._wall_clock() - self._links.progress.began
        return Done(self.job_samples, seconds, self.counters.steps)

    def _header(self, loss: float | None, *, finished: bool = False) -> SnapshotHeader:
        return SnapshotHeader(
            step=self.counters.steps,
            samples=self._links.progress.own_samples,
            loss=loss,
            finished=finished,
        )
