"""One virtual worker's life: gossip_trainer.training.loop in virtual time.

The gradient is computed when its compute time is over: x does not change meanwhile.
"""

from gossip_trainer.algorithms.effects import Fetch, Rank
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.simulation.checkpoints import Saved, WorkerMemory
from gossip_trainer.simulation.clock import Life, Process, drive
from gossip_trainer.simulation.world import Parts, World
from gossip_trainer.training.boundary import StepBoundary
from gossip_trainer.training.exchange import Arrived, Dispatch
from gossip_trainer.training.links import Links
from gossip_trainer.training.moving_average import average_of
from gossip_trainer.training.stepper import clip_or_clear_


class VirtualWorker:
    """One member of the job.

    Attributes:
        parts: what it is made of.
        boundary: its step boundary; None until it has a model.
        done: whether it will never train again.
        gone: whether it crashed or left.

    """

    def __init__(self, world: World, parts: Parts) -> None:
        self._world = world
        self.parts = parts
        self.boundary: StepBoundary | None = None
        self.done = False
        self.gone = False
        self._leaving = False
        self._memory: WorkerMemory | None = None
        self._process: Process | None = None

    @property
    def stays(self) -> bool:
        """Whether it is there and was not told to leave."""
        return not self.gone and not self._leaving

    def start(self, *, joining: bool = False, saved: Saved | None = None) -> None:
        """Begin to train, or go on from what was saved; one that joins copies a peer's model."""
        if not joining:
            self._enter(first_step=0, saved=saved)
            if self._memory is not None and saved is None:
                self._memory.begin()
        self._process = Process(self._world.clock, self._join() if joining else self._train())
        self._process.start()

    def crash(self) -> None:
        """Be gone at once: the step and the transfers under way are lost."""
        assert self._process is not None
        self._process.kill()
        self.done = True
        self._withdraw()
        self._world.network.drop(self.parts.endpoint.name)
        self.parts.letters.die()

    def leave(self) -> None:
        """End after the step under way, at once if there is none."""
        self._leaving = True
        if self.boundary is not None:
            self.boundary.leave()
        if self.done:
            self._withdraw()

    def _enter(self, first_step: int, saved: Saved | None = None) -> None:
        world, parts = self._world, self.parts
        links = Links(
            snapshots=parts.publisher,
            peers=parts.peers,
            exchange=parts.exchange,
            letters=parts.letters,
            progress=parts.progress,
            collective=parts.collective,
        )
        self.boundary = StepBoundary(
            parts.endpoint.name,
            algorithm=parts.algorithm,
            model=parts.replica.model,
            optimizer=parts.optimizer,
            links=links,
            limits=world.limits,
            observer=parts.observer,
            average=average_of(world.training, parts.replica.model.vector, parts.averages),
            first_step=first_step,
            clock=lambda: world.clock.now,
            wall_clock=lambda: world.clock.now,
        )
        if saved is not None:
            saved.load_into(self.boundary, parts)
        if world.checkpoints is not None:
            self._memory = WorkerMemory(world.checkpoints, self.boundary, parts)
        self.boundary.publish_first()
        world.standing.enter(parts.endpoint)

    def _withdraw(self) -> None:
        self.gone = True
        self.parts.exchange.close()
        self.parts.letters.close()
        self._world.standing.leave(self.parts.endpoint)
        self.parts.publisher.withdraw()
        self.parts.averages.withdraw()

    def _train(self) -> Life:
        """Train until the boundary says that it is enough."""
        world, parts, boundary = self._world, self.parts, self.boundary
        assert boundary is not None
        group = parts.optimizer.param_groups[0]
        # At the first moment of the job everybody is a member by now.
        parts.peers.refresh(world.clock.now)
        parts.algorithm.on_view(parts.peers.view)
        going = True
        while going:
            yield parts.step_seconds()
            boundary.begin_step()
            with world.laps.gradient:
                batch = next(parts.batches)
                world.shared.show(parts.replica)
                loss = parts.compute_gradient(batch).item()
            has_mean = boundary.averages_gradients
            usable = has_mean or self._check(boundary, loss)
            yield from self._exchange_gradient(boundary, len(batch.targets))
            usable = self._check(boundary, 0.0) if has_mean else usable
            group["lr"] = world.rate(boundary.epoch, boundary.num_live)
            if boundary.steps_locally and usable:
                with world.laps.optimizer:
                    parts.optimizer.step()
            going = yield from drive(boundary.step_done(loss, skipped=not usable), parts.bell)
            if going and self._memory is not None:
                self._memory.after_step()
        yield from drive(boundary.finish(), parts.bell)
        self.done = True
        if self._leaving:
            self._withdraw()

    def _check(self, boundary: StepBoundary, loss: float) -> bool:
        """Clip the gradient; tell whether it is of any use. If it is not the job may end."""
        training = self._world.training
        gradient = self.parts.replica.model.gradient
        fault = clip_or_clear_(gradient, loss, training.gradient_clipping)
        if fault and training.non_finite == "Stop":
            boundary.diverged()
        return not fault

    def _exchange_gradient(self, boundary: StepBoundary, samples: int) -> Life:
        """Tell the boundary of the gradient, and keep it as long as the boundary waits.

        All workers compute theirs in the same vector. A mean that all workers met for is written to
        it when the wait is over, so there is nothing to keep.
        """
        gradient, kept = self.parts.replica.model.gradient, None
        for awaited in drive(boundary.gradient_ready(samples), self.parts.bell):
            if kept is None and self._world.hall is None:
                kept = gradient.clone()
            yield awaited
        if kept is not None:
            gradient.copy_(kept)

    def _join(self) -> Life:
        """Copy the model of the first peer that gives it, become a member and train."""
        world, parts = self._world, self.parts
        while world.standing.stop is None and not self._leaving:
            parts.peers.refresh(world.clock.now)
            peer = self._first_peer()
            fetch = Fetch(Rank(peer.rank))
            parts.exchange.begin([Dispatch(fetch, 0, 0, peer)])
            while (outcome := parts.exchange.collect()) is None:
                yield parts.bell.wait(float("inf"))
            if isinstance(outcome, Arrived) and outcome.message is not None:
                parts.replica.model.load_(outcome.message.vector)
                step = outcome.message.step
                parts.exchange.collect()  # lets go of the snapshot
                self._enter(first_step=step)
                yield from self._train()
                return
        self.done = True

    def _first_peer(self) -> Endpoint:
        others = [rank for rank in self.parts.peers.view.ranks if rank != self.parts.endpoint.rank]
        peer = self.parts.peers.endpoint(others[0]) if others else None
        if peer is None:
            raise MembershipError(
                f"{self.parts.endpoint.name} joins at {self._world.clock.now:g} s of virtual time "
                "and finds no peer to copy the model from; see spec.simulation.faults"
            )
        return peer
