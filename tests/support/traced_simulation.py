"""Simulates a job and leaves the event log of a traced run of it, as real processes would."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch.optim import Optimizer

from gossip_api.job import GossipTrainingJob
from gossip_api.loading import resolved_yaml
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.observability.event_log import EventLog
from gossip_trainer.observability.events import Began
from gossip_trainer.simulation.clock import Clock
from gossip_trainer.simulation.replica import Snapshot, VirtualPublisher
from gossip_trainer.simulation.server import VirtualServer
from gossip_trainer.simulation.simulator import Simulator
from gossip_trainer.simulation.world import Parts
from gossip_trainer.training.trace import (
    TracedAlgorithm,
    TracedPublisher,
    TracedServer,
    called_with,
)
from gossip_trainer.transport.wire import SnapshotHeader


class _Publisher:
    """A worker's publisher, watched but for what it begins with."""

    def __init__(self, inner: VirtualPublisher, optimizer: Optimizer, events: EventLog) -> None:
        self._inner = inner
        self._traced = TracedPublisher(inner, optimizer, events)
        self._has_begun = False

    @property
    def newest(self) -> Snapshot | None:
        """The inner one's."""
        return self._inner.newest

    def publish(self, x: Iterate, header: SnapshotHeader) -> bool:
        """Log and pass on."""
        has_begun, self._has_begun = self._has_begun, True
        return (self._traced if has_begun else self._inner).publish(x, header)

    def withdraw(self) -> None:
        """Pass on."""
        self._inner.withdraw()


class TracedSimulator(Simulator):
    """A simulator whose workers and servers are watched."""

    def __init__(self, job: GossipTrainingJob, run: Path) -> None:
        self._run = run
        training = job.spec.training
        super().__init__(job, load_dataset(training.data, training.seed))
        for server in self.world.servers:
            self._watch_server(server)

    def leave_job(self) -> None:
        """Write the job document, and where each worker that joined had its model from."""
        (self._run / "job.yaml").write_text(resolved_yaml(self._job))

    def _events(self, name: str) -> EventLog:
        def clock(virtual: Callable[[], Clock] = lambda: self.world.clock) -> float:
            return virtual().now

        return EventLog(self._run / "events.jsonl", name, clock=clock)

    def _parts(self, rank: int, incarnation: int) -> Parts:
        parts = super()._parts(rank, incarnation)
        events = self._events(parts.endpoint.name)
        return replace(
            parts,
            algorithm=TracedAlgorithm(parts.algorithm, events),
            publisher=_Publisher(parts.publisher, parts.optimizer, events),
        )

    def _add(self, rank: int, *, joining: bool) -> None:
        super()._add(rank, joining=joining)
        if joining:
            self._watch_joining()

    def _watch_joining(self) -> None:
        worker = self.workers[-1]
        enter = worker._enter

        def noted_enter(first_step: int) -> None:
            peer = worker._first_peer().name
            name = worker.parts.endpoint.name
            self._events(name).emit(Began(model_from=peer, step=first_step, job_samples=0))
            enter(first_step)

        worker._enter = noted_enter

    def _watch_server(self, server: VirtualServer) -> None:
        events, served = self._events(server.endpoint.name), server._served
        events.emit(called_with(server._view))
        served._algorithm = TracedServer(served._algorithm, events, served._optimizer)
