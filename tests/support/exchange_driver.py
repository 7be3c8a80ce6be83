"""An exchange over a client that brings and says what the test wants, when it wants it."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Fetch, Party, Rank, Send
from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.training.exchange import Dispatch, Exchange, Outcome, SharedReader
from gossip_trainer.transport.errors import PeerLost, Unsettled
from gossip_trainer.transport.verdicts import Answered, Verdict
from gossip_trainer.transport.wire import MessageHeader, MessageId, SnapshotHeader

SECONDS = 10.0  # the longest any of these waits may take
BROKEN = Unsettled(PeerLost("reset", "the connection was cut"))
STALLED = Unsettled(PeerLost("stalled", "no progress in time"))

Address = tuple[str, int]  # the port is the member's rank
T = TypeVar("T")


class Client:
    """Brings a vector full of the peer's rank once the test opens the gate; verdicts as it says."""

    def __init__(self) -> None:
        self.gate, self.asked, self.aborted = threading.Event(), threading.Event(), False
        self.error: Exception | None = None
        self.calls: list[tuple[Address, str | None]] = []
        self.excerpts: list[Excerpt | None] = []
        self.sent: list[tuple[str, MessageHeader, bytes]] = []
        self.settled: list[tuple[str, MessageId]] = []
        self.verdicts: dict[int, list[Verdict | Exception]] = {}  # in order; the last stays

    def pull(
        self, address: Address, into: memoryview, *, expect: str | None, excerpt: Excerpt | None
    ) -> SnapshotHeader:
        """Fill `into`, or raise `error`; rank 9 has finished."""
        self.calls.append((address, expect))
        self.excerpts.append(excerpt)
        self._pass_gate()
        if self.error is not None:
            raise self.error
        fill(into, address[1])
        return SnapshotHeader(step=17, samples=3, finished=address[1] == 9)

    def send(
        self,
        address: Address,
        header: MessageHeader,
        payload: memoryview,
        into: memoryview,
        *,
        expect: str,
    ) -> Verdict:
        """Note the message and give the receiver's next verdict."""
        self.sent.append((expect, header, bytes(payload)))
        self._pass_gate()
        return self._verdict(address, into)

    def settle(
        self, address: Address, message: MessageId, into: memoryview, *, expect: str
    ) -> Verdict:
        """Note the question and give the receiver's next verdict."""
        self.settled.append((expect, message))
        return self._verdict(address, into)

    def abort(self) -> None:
        """Fail whatever waits at the gate."""
        self.aborted = True
        self.gate.set()

    def _verdict(self, address: Address, into: memoryview) -> Verdict:
        verdicts = self.verdicts[address[1]]
        verdict = verdicts.pop(0) if len(verdicts) > 1 else verdicts[0]
        if isinstance(verdict, Exception):
            raise verdict
        if isinstance(verdict, Answered) and verdict.num_bytes:
            fill(into, address[1])
        return verdict

    def _pass_gate(self) -> None:
        self.asked.set()
        assert self.gate.wait(SECONDS)
        if self.aborted:
            raise PeerLost("aborted", "the exchange was given up")


def fill(into: memoryview, value: float) -> None:
    """Write float32 elements, all the same."""
    into[:] = torch.full((len(into) // 4,), float(value)).numpy().tobytes()


def peer(rank: int, incarnation: int = 0) -> Endpoint:
    """Return where a worker is."""
    return Endpoint(Role.WORKER, rank, incarnation, "10.0.0.1", rank)


def fetch(
    rank: int, of: Callable[[int], Endpoint] = peer, excerpt: Excerpt | None = None
) -> Dispatch:
    """Return a fetch of a worker's vector."""
    return Dispatch(Fetch(Rank(rank), excerpt), 0, 5, of(rank))


def send(rank: int, size: int = 2, number: int = 1, **said: Any) -> Dispatch:
    """Return a message to a worker, full of 0.5."""
    vector = torch.full((size,), 0.5)
    return Dispatch(Send(Rank(rank), vector, **said), number, 5, peer(rank))


class Driver:
    """An exchange, its news, and where everybody is."""

    def __init__(self, client: Client, shared: SharedReader | None = None) -> None:
        self.news = threading.Event()
        self.places: dict[Party, Endpoint | None] = {Rank(rank): peer(rank) for rank in range(10)}
        self.exchange = Exchange(
            client,
            torch.zeros(6),
            locate=self.places.get,
            started=100,
            on_news=self.news.set,
            shared=shared,
        )
        self.close = self.exchange.close

    @property
    def busy(self) -> bool:
        """Whether a batch is under way."""
        return self.exchange.busy

    def begin(self, *batch: Dispatch) -> None:
        """Begin a batch."""
        self.exchange.begin(batch)

    def wait_until(self, holds: Callable[[], T]) -> T:
        """Return what `holds` returns, as soon as it is true."""
        deadline = time.monotonic() + SECONDS
        while not (result := holds()):
            assert time.monotonic() < deadline
            self.news.wait(0.01)
            self.news.clear()
        return result

    def collect(self) -> Outcome | None:
        """Wait for the next outcome."""
        return self.wait_until(self.exchange.collect)
