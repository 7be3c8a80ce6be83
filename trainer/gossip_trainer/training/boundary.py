"""The step boundary: publish, mix in, communicate, count, report, and stop or go on.

A training loop calls it when a step begins, when the gradient is ready and when the optimizer has
stepped. It owns the worker's algorithm and the effects under way. It knows nothing of the loop, the
data, the model's kind or where the worker runs; the simulator calls the same object.

The order after a step: x is published as the step left it, before any mixing, which is what the
paper's peers see; then what arrived since the boundary before is mixed in; then the algorithm
is asked what to do next. If it wants to wait, the worker waits and mixes before the next forward.
"""

import math
import time
from collections.abc import Callable, Generator
from datetime import timedelta
from enum import Enum, auto
from functools import partial

from torch.optim import Optimizer

from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.view import View
from gossip_trainer.errors import RunError
from gossip_trainer.observability.phase_clock import Phase
from gossip_trainer.replica.flat import FlatModel, iterate_of
from gossip_trainer.training.counters import Counters
from gossip_trainer.training.effects_under_way import EffectsUnderWay, Waiting
from gossip_trainer.training.ending import Ending, Limits
from gossip_trainer.training.full_state import FullState
from gossip_trainer.training.links import Links
from gossip_trainer.training.moving_average import MovingAverage
from gossip_trainer.training.observer import Observer
from gossip_trainer.transport.wire import SnapshotHeader

SETTLE_SECONDS = 5.0  # how long a worker that is done waits for its own last exchange
FINAL_PUBLISH_SECONDS = 30.0
FINAL_PUBLISH_POLL_SECONDS = 0.01
PATIENCE = timedelta(minutes=30)


class Turn(Enum):
    """What comes after a gradient."""

    STEP = auto()  # the optimizer's step
    REPEAT = auto()  # the gradient anew, of the same batch
    END = auto()  # nothing: the job ends


class StepBoundary:
    """One worker's step boundary.

    `gradient_ready`, `step_done` and `finish` are generators: see `Waiting`. `first_step` is the
    step of the model a late worker copied; it counts on from there.

    Attributes:
        counters: what this worker has done.

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
        average: MovingAverage | None = None,
        first_step: int = 0,
        patience: timedelta = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self.counters = Counters(steps=first_step)
        self._algorithm = algorithm
        self._model = model
        self._optimizer = optimizer
        self._links = links
        self._observer = observer
        self._average = average
        self._clock = clock
        meeting_size = 0 if links.collective is None else links.collective.size
        self._ending = Ending(
            name, limits, links.progress, meeting_size=meeting_size, wall_clock=wall_clock
        )
        self._effects = EffectsUnderWay(
            algorithm,
            links,
            self.counters,
            ending=self._ending,
            observer=observer,
            clock=clock,
            patience=patience,
        )
        self._state = FullState(
            model,
            optimizer,
            algorithm,
            average=average,
            counters=self.counters,
            ending=self._ending,
        )
        self._samples = 0  # of the step under way

    @property
    def job_samples(self) -> int:
        """Samples of the whole job; with a collective, as all workers agreed."""
        return self._ending.job_samples

    @property
    def epoch(self) -> float:
        """Job-wide passes over the training set, the clock of the learning-rate schedule."""
        return self._ending.epoch

    @property
    def view(self) -> View:
        """Who this worker chooses its peers from."""
        return self._links.peers.view

    @property
    def own_samples(self) -> int:
        """Samples of this process."""
        return self._links.progress.own_samples

    @property
    def steps_locally(self) -> bool:
        """Whether the worker's optimizer is to step; a parameter server's does instead."""
        return self._algorithm.steps_locally

    @property
    def averages_gradients(self) -> bool:
        """Whether all workers step by the mean of their gradients."""
        return self._algorithm.keeps_equal

    @property
    def num_live(self) -> int:
        """How many workers train, as far as this one knows, itself among them."""
        return self._ending.meeting_size or max(1, len(self.view.members))

    @property
    def weight(self) -> float:
        """The push-sum weight; 1 with any other exchange."""
        return self._algorithm.weight

    @property
    def has_left(self) -> bool:
        """Whether the worker ends because it was told to go, and the job goes on without it."""
        return self._ending.has_left

    @property
    def x(self) -> Iterate:
        """The point that peers exchange."""
        return iterate_of(self._model, self._optimizer)

    def save_if_due(self, save: Callable[[], bool], *, is_due: bool) -> bool:
        """Have the worker's state saved after a step if it is to be; tell whether it was.

        Where all meet they save after the same step, as soon as it is due for one of them. `save`
        tells whether it could.
        """
        self._ending.wants_to_save |= is_due
        if not (self._ending.is_to_save and save()):
            return False
        self._ending.has_saved()
        return True

    @property
    def state(self) -> FullState:
        """All that the worker trains on from."""
        return self._state

    def leave(self) -> None:
        """End after the step under way; safe to call from a signal handler."""
        self._ending.leave()

    def diverged(self) -> None:
        """End the job for everyone: there is no sense in going on."""
        self._ending.diverged()

    def publish_first(self) -> None:
        """Show what the worker begins with."""
        header = SnapshotHeader(step=self.counters.steps, samples=0)
        self._links.snapshots.publish(self.x, header)
        if self._average is not None:
            self._average.publish(header)

    def begin_step(self) -> None:
        """Before forward."""
        self._observer.entered(Phase.COMPUTE)
        self._algorithm.before_step(self.x)

    def assemble(self) -> Generator[float, None, bool]:
        """Meet the other workers in a new group; return False if the job ends before.

        Called before the first step where the strategy averages collectively. The worker may go on
        from another's state afterwards, its step and optimizer included.
        """
        self._observer.entered(Phase.COMMUNICATE)
        collective, effects, ending = self._links.collective, self._effects, self._ending
        assert collective is not None
        while True:
            effects.has_group()
            if not (yield from collective.form(self._state, self._is_over)):
                return False
            ending.meeting_size = collective.size
            x = self.x
            yield from effects.carry_out(self._algorithm.on_group(x), x)
            if not effects.needs_group:
                return True
            if not effects.has_lost_meeting and ending.is_due(self.counters.steps):
                return True

    def gradient_ready(self, samples: int) -> Generator[float, None, Turn]:
        """After backward and before the optimizer; `samples` is the size of the batch.

        Where a collective lost a member the gradient is lost with it, and the parameters may be
        others afterwards: it is to be computed anew.
        """
        self._observer.entered(Phase.COMMUNICATE)
        self._samples = samples
        self._ending.samples_since_meeting += samples
        algorithm, x = self._algorithm, self.x
        if algorithm.exchanges_on_gradient:
            yield from self._effects.deliver(x)
        algorithm.idle = not self._links.exchange.busy
        yield from self._effects.carry_out(algorithm.on_gradient(x, self._model.gradient), x)
        if not self._effects.has_lost_meeting:
            self._observer.entered(Phase.COMPUTE)
            return Turn.STEP
        self._ending.samples_since_meeting -= samples
        self._model.renew_gradient()
        steps = self.counters.steps
        if not (yield from self.assemble()):
            return Turn.END
        if self.counters.steps == steps + 1:
            # The others had the mean, and in it this batch.
            self._links.progress.count(samples)
        return Turn.REPEAT

    def step_done(self, loss: float, *, skipped: bool = False) -> Generator[float, None, bool]:
        """After the optimizer's step, or where it was skipped; return whether to go on training."""
        self._observer.entered(Phase.COMMUNICATE)
        counters, algorithm = self.counters, self._algorithm
        counters.steps += 1
        counters.own_steps += 1
        if math.isfinite(loss):
            counters.loss_sum += loss
        counters.nonfinite += skipped or not math.isfinite(loss)
        self._links.progress.count(self._samples)
        x, header = self.x, self._header(loss)
        if not self._links.snapshots.publish(x, header):
            counters.unpublished += 1
        if self._average is not None:
            self._average.step_done(x, header)
        yield from self._effects.deliver(x)
        algorithm.idle = not self._links.exchange.busy
        yield from self._effects.carry_out(algorithm.on_step(x), x)
        if self._effects.has_lost_meeting and not (yield from self.assemble()):
            return False
        self._observer.stepped(self)
        if self._ending.is_due(counters.steps):
            return False
        if self._effects.needs_group and not (yield from self.assemble()):
            return False
        self._observer.entered(Phase.DATA)
        return True

    def finish(self) -> Waiting:
        """Take in what is still under way, then publish the final model.

        Peers and the evaluator may read that from now on; nothing that is sent here is taken any
        more.

        Raises:
            RunError: readers held every buffer until the deadline.

        """
        self._observer.entered(Phase.COMMUNICATE)
        if self._links.collective is not None:
            self._links.collective.leave()
        x = self.x
        yield from self._effects.deliver(x)
        yield from self._effects.carry_out(self._algorithm.on_finish(x), x)
        self._links.letters.close()
        yield from self._effects.settle(x, SETTLE_SECONDS)
        header = self._header(None, finished=not self.has_left)
        # Who sees the final model finds the final average as well.
        if self._average is not None:
            yield from self._publish_last(partial(self._average.publish, header))
        yield from self._publish_last(partial(self._links.snapshots.publish, x, header))

    def _publish_last(self, publish: Callable[[], bool]) -> Waiting:
        deadline = self._clock() + FINAL_PUBLISH_SECONDS
        while not publish():
            if self._clock() > deadline:
                raise RunError(f"{self._name}: no buffer for the final model came free in time")
            yield FINAL_PUBLISH_POLL_SECONDS

    def _is_over(self) -> bool:
        return self._ending.is_over(self.counters.steps)

    def _header(self, loss: float | None, *, finished: bool = False) -> SnapshotHeader:
        return SnapshotHeader(
            step=self.counters.steps,
            samples=self._links.progress.own_samples,
            loss=loss,
            finished=finished,
            weight=self._algorithm.weight,
        )
