"""A virtual worker's step boundary, in the order of gossip_trainer.training.boundary.

After the optimizer's step x is published as the step left it; then what arrived since the boundary
before is mixed in; then the algorithm is asked what to do next. A worker that waits sleeps until
the clock wakes it. It does not begin to wait once the job has ended, as a real one; but a wait that
has begun goes on to the end of the fetch, where a real worker gives up within half a second.
"""

import math
from typing import TYPE_CHECKING

from torch import Tensor

from gossip_trainer.algorithms.effects import Average, Effects, Fetch, Loss, Wait
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.progress.budget import Done
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.replica.flat import iterate_of
from gossip_trainer.simulation.clock import Life
from gossip_trainer.simulation.collective import Meeting, ring_bytes
from gossip_trainer.simulation.world import Parts, World
from gossip_trainer.training.counters import Counters
from gossip_trainer.training.exchange import Arrived, Lost

if TYPE_CHECKING:
    from gossip_trainer.simulation.replica import Snapshot


class VirtualBoundary:
    """One worker's boundary.

    Attributes:
        counters: what the worker has done; steps count on from the model it began with.
        newest: its newest snapshot; None before it has a model and after it is gone.
        finished: whether it has done its last step.
        leaving: set it to end the worker after its step under way.

    """

    def __init__(self, world: World, parts: Parts) -> None:
        self._world = world
        self._parts = parts
        self.counters = Counters()
        self.newest: Snapshot | None = None
        self.finished = False
        self.leaving = False
        self._samples = 0  # of the step under way
        self._meeting: Meeting | None = None
        self._agreed_samples = 0
        self._agreed_stop = False

    @property
    def job_samples(self) -> int:
        """Samples of the whole job; with a collective, as all workers agreed."""
        world = self._world
        return world.standing.samples if world.collective is None else self._agreed_samples

    @property
    def epoch(self) -> float:
        """Job-wide passes over the training set."""
        return self._world.meter.epoch(self.job_samples)

    def publish(self, x: Iterate | None = None) -> None:
        """Make x, as it is now, the newest snapshot."""
        x = x or self._x()
        with self._world.laps.publishing:
            self.newest = self._world.snapshots.publish(
                x, self.counters.steps, old=self.newest, finished=self.finished
            )

    def withdraw(self) -> None:
        """Publish nothing any more; a transfer under way goes on."""
        self.finished = True
        if self.newest is not None:
            self._world.snapshots.release(self.newest)
            self.newest = None

    def gradient_ready(self, samples: int) -> Life:
        """After backward and before the optimizer."""
        self._samples = samples
        algorithm, x = self._parts.algorithm, self._x()
        yield from self._carry_out(algorithm.on_gradient(x, self._parts.replica.model.gradient), x)

    def step_done(self, loss: float) -> Life:
        """After the optimizer's step; sets `finished` if it was the last."""
        world, parts, counters = self._world, self._parts, self.counters
        counters.steps += 1
        if math.isfinite(loss):
            counters.loss_sum += loss
        else:
            counters.nonfinite += 1
        world.standing.samples += self._samples
        world.standing.steps += 1
        x = self._x()
        self.publish(x)
        yield from self._deliver(x)
        yield from self._carry_out(parts.algorithm.on_step(x), x)
        if parts.peers.refresh(world.clock.now):
            yield from self._carry_out(parts.algorithm.on_view(parts.peers.view), x)
        self.finished = self._must_stop()

    def _x(self) -> Iterate:
        return iterate_of(self._parts.replica.model, self._parts.optimizer)

    def _carry_out(self, effects: Effects, x: Iterate) -> Life:
        for effect in effects:
            match effect:
                case Fetch():
                    yield from self._begin(effect, x)
                case Average(vector):
                    assert self._world.collective is not None
                    self._meeting = self._world.collective.begin(
                        vector, samples=self._samples, stop=self._wishes_to_stop()
                    )
                case Wait(Average(vector)):
                    yield from self._agree(vector)
                case Wait(Fetch()):
                    ended = self._parts.exchange.ended
                    if ended is not None and not self._wishes_to_stop():
                        yield ended
                        yield from self._deliver(x)

    def _begin(self, fetch: Fetch, x: Iterate) -> Life:
        algorithm, exchange = self._parts.algorithm, self._parts.exchange
        peer = self._parts.peers.endpoint(fetch.peer)
        if peer is None:
            yield from self._carry_out(algorithm.on_lost(fetch, Loss.PEER), x)
        elif exchange.busy:
            self.counters.skipped += 1
            yield from self._carry_out(algorithm.on_lost(fetch, Loss.BUSY), x)
        else:
            exchange.begin(fetch, peer)

    def _deliver(self, x: Iterate) -> Life:
        match self._parts.exchange.collect():
            case Arrived() as arrived:
                yield from self._mix_in(arrived, x)
            case Lost() as lost:
                self.counters.lost += 1
                self._world.standing.lost += 1
                self._parts.peers.lost(lost.peer, self._world.clock.now)
                effects = self._parts.algorithm.on_lost(lost.fetch, Loss.PEER)
                yield from self._carry_out(effects, x)

    def _mix_in(self, arrived: Arrived, x: Iterate) -> Life:
        counters, message, peers = self.counters, arrived.message, self._parts.peers
        counters.exchanges += 1
        counters.staleness_sum += counters.steps - message.step
        self._receive(message.vector.nbytes)
        if arrived.finished:
            peers.finished(arrived.peer, self._world.clock.now)
        else:
            peers.answered(arrived.peer)
        with self._world.laps.mixing:
            effects = self._parts.algorithm.on_message(arrived.fetch.peer, message, x)
        self._parts.exchange.release()
        yield from self._carry_out(effects, x)

    def _agree(self, vector: Tensor) -> Life:
        meeting = self._meeting
        assert meeting is not None
        yield meeting.done
        with self._world.laps.mixing:
            meeting.write_to_(vector)
        self._agreed_samples += meeting.agreement.samples
        self._agreed_stop = meeting.agreement.stop
        self._receive(round(ring_bytes(vector.nbytes, meeting.came)))

    def _receive(self, num_bytes: int) -> None:
        self.counters.received_bytes += num_bytes
        self._world.standing.received_bytes += num_bytes

    def _must_stop(self) -> bool:
        if self._world.collective is None:
            return self._wishes_to_stop()
        agreed = Done(self._agreed_samples, seconds=0.0, steps=self.counters.steps)
        if self._world.meter.is_used_up(agreed):
            return self._use_up()
        return self._agreed_stop

    def _wishes_to_stop(self) -> bool:
        standing = self._world.standing
        if standing.stop is not None or self.leaving:
            return True
        done = Done(self.job_samples, self._world.clock.now, self.counters.steps)
        return self._world.meter.is_used_up(done) and self._use_up()

    def _use_up(self) -> bool:
        # A budget of steps is each worker's own; every other one ends the job for all.
        if self._world.meter.budget.steps_per_worker is None:
            self._world.standing.end(StopReason.BUDGET)
        return True
