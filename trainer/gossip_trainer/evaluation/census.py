"""Reading the live workers: their standing, and the mean of their models.

Every call to a worker also brings the job's counters there and back, so the evaluator spreads them
even where workers exchange rarely.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gossip_trainer.evaluation.mean import RunningMean
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.replica.layout import Layout
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.transport.client import PeerClient
from gossip_trainer.transport.errors import NotReady, TransportError
from gossip_trainer.transport.wire import SnapshotHeader, Wanted


@dataclass(frozen=True, slots=True)
class Standing:
    """What a worker answered when asked how it stands; None for one that publishes nothing yet."""

    header: SnapshotHeader | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One worker's snapshot as it was read."""

    member: str
    header: SnapshotHeader


@dataclass(frozen=True, slots=True)
class Census:
    """One pass over the workers' models.

    Attributes:
        readings: who is in the mean.
        missed: members that could not be read.

    """

    readings: tuple[Reading, ...]
    missed: tuple[str, ...]


class CensusTaker:
    """Reads workers one after the other into one buffer.

    Args:
        client: the transport.
        layout: of the model.
        stream: draws the sample where there are more workers than are read.
        averages: whether the workers' moving averages are read as well.

    Attributes:
        mean: of the workers' models, as of the last census.
        average: of what the job's model is the mean of: their moving averages, or the models.

    """

    def __init__(
        self, client: PeerClient, layout: Layout, stream: random.Random, *, averages: bool = False
    ) -> None:
        self._client = client
        self._stream = stream
        self._vector = torch.zeros(layout.size, dtype=layout.dtype)
        self._average = torch.zeros_like(self._vector) if averages else None
        self.mean = RunningMean(layout.size)
        self.average = RunningMean(layout.size) if averages else self.mean

    def ask(self, workers: Sequence[Endpoint]) -> dict[str, Standing]:
        """Return the standing of everyone who answers, by member."""
        standings = {}
        for worker in workers:
            try:
                header = self._client.status(worker.address, expect=worker.name)
            except NotReady:
                standings[worker.name] = Standing(None)
            except TransportError:
                continue
            else:
                standings[worker.name] = Standing(header)
        return standings

    def take(
        self,
        workers: Sequence[Endpoint],
        sample: int,
        visit: Callable[[Reading, Tensor], None],
    ) -> Census:
        """Average the workers' newest snapshots, at most `sample` of them drawn at random.

        Push-sum's count by their weights, so that the mean is that of the mass.

        `visit` is called with every snapshot; its vector is valid during the call.
        """
        chosen = list(workers)
        if len(chosen) > sample:
            chosen = self._stream.sample(chosen, sample)
        self.mean.clear()
        self.average.clear()
        readings, missed = [], []
        for worker in chosen:
            try:
                header = self._read(worker)
            except NotReady:
                continue
            except TransportError:
                missed.append(worker.name)
                continue
            self.mean.add(self._vector, header.weight)
            if self._average is not None:
                self.average.add(self._average, header.weight)
            reading = Reading(worker.name, header)
            readings.append(reading)
            visit(reading, self._vector)
        return Census(tuple(readings), tuple(missed))

    def _read(self, worker: Endpoint) -> SnapshotHeader:
        address, name = worker.address, worker.name
        header = self._client.pull(address, memory_of(self._vector), expect=name)
        if self._average is not None:
            # After the model: whoever has published its last one has published its last average.
            into = memory_of(self._average)
            self._client.pull(address, into, expect=name, wanted=Wanted.AVERAGE)
        return header
