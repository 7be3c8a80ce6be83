"""One virtual worker's life: gossip_trainer.training.loop in virtual time.

The gradient is computed when its compute time is over: x does not change meanwhile.
"""

from gossip_trainer.algorithms.effects import Fetch, Rank
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.simulation.boundary import VirtualBoundary
from gossip_trainer.simulation.clock import Life, Process
from gossip_trainer.simulation.world import Parts, World
from gossip_trainer.training.exchange import Arrived


class VirtualWorker:
    """One member of the job.

    Attributes:
        parts: what it is made of.
        boundary: its step boundary.
        gone: whether it crashed or left.

    """

    def __init__(self, world: World, parts: Parts) -> None:
        self._world = world
        self.parts = parts
        self.boundary = VirtualBoundary(world, parts)
        self.gone = False
        self._process: Process | None = None

    @property
    def done(self) -> bool:
        """Whether it will never train again."""
        return self.boundary.finished

    def start(self, *, joining: bool = False) -> None:
        """Begin to train; one that joins copies a peer's model first."""
        if not joining:
            self._enter()
        self._process = Process(self._world.clock, self._join() if joining else self._train())
        self._process.start()

    def crash(self) -> None:
        """Be gone at once: the step and the transfers under way are lost."""
        assert self._process is not None
        self._process.kill()
        self._withdraw()
        self._world.network.drop(self.parts.endpoint.name)

    def leave(self) -> None:
        """End after the step under way, at once if there is none."""
        self.boundary.leaving = True
        if self.boundary.finished:
            self._withdraw()

    def _enter(self) -> None:
        self.boundary.publish()
        self._world.standing.enter(self.parts.endpoint)

    def _withdraw(self) -> None:
        self.gone = True
        self.parts.exchange.close()
        self._world.standing.leave(self.parts.endpoint)
        self.boundary.withdraw()

    def _train(self) -> Life:
        """Train until the boundary says that it is enough."""
        world, parts, boundary = self._world, self.parts, self.boundary
        group = parts.optimizer.param_groups[0]
        # At the first moment of the job everybody is a member by now.
        parts.peers.refresh(world.clock.now)
        parts.algorithm.on_view(parts.peers.view)
        while not boundary.finished:
            yield parts.step_seconds()
            with world.laps.gradient:
                batch = world.dataset.train_batch(next(parts.batches))
                loss = world.shared.compute_gradient(parts.replica, batch)
            yield from boundary.gradient_ready(len(batch.targets))
            group["lr"] = world.rate(boundary.epoch)
            with world.laps.optimizer:
                parts.optimizer.step()
            yield from boundary.step_done(loss)
        if boundary.leaving:
            self._withdraw()
        else:
            boundary.publish()

    def _join(self) -> Life:
        """Copy the model of the first peer that gives it, become a member and train."""
        world, parts, boundary = self._world, self.parts, self.boundary
        while not boundary.finished:
            if world.standing.stop is not None or boundary.leaving:
                boundary.finished = True
                return
            parts.peers.refresh(world.clock.now)
            peer = self._first_peer()
            yield parts.exchange.begin(Fetch(Rank(peer.rank)), peer)
            outcome = parts.exchange.collect()
            if isinstance(outcome, Arrived):
                parts.replica.model.load_(outcome.message.vector)
                boundary.counters.steps = outcome.message.step
                parts.exchange.release()
                self._enter()
                yield from self._train()
                return

    def _first_peer(self) -> Endpoint:
        others = [rank for rank in self.parts.peers.view.ranks if rank != self.parts.endpoint.rank]
        peer = self.parts.peers.endpoint(others[0]) if others else None
        if peer is None:
            raise MembershipError(
                f"{self.parts.endpoint.name} joins at {self._world.clock.now:g} s of virtual time "
                "and finds no peer to copy the model from; see spec.simulation.faults"
            )
        return peer
