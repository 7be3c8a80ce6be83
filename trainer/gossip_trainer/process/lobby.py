"""What a worker that meets others shows them before, between and while they meet.

Its stance travels with the counters of every request and reply. Its full state can be copied while
it is ready for a group and stands still. Its store is where the group of its proposal meets.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # conditional there

from gossip_api.environment import ProcessEnvironment
from gossip_api.strategy import Strategy
from gossip_trainer.errors import ProgressError
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.training.full_state import FullState, encode_counts
from gossip_trainer.training.gloo_group import host_store
from gossip_trainer.training.stance import Stance
from gossip_trainer.transport.chunks import ChunkDigests
from gossip_trainer.transport.wire import SnapshotHeader

FORM_TIMEOUT = timedelta(seconds=10)  # for all who have accepted a ballot to come

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Stance)


class Board:
    """Stances as they travel; written and read by the training thread, carried by all others.

    Args:
        on_news: called, from any thread, when another's stance has come.

    """

    def __init__(self, on_news: Callable[[], None]) -> None:
        self._on_news = on_news
        self._own = b""
        self._come: dict[str, Stance] = {}

    def write(self, stance: Stance) -> None:
        """Show the own stance from now on."""
        self._own = _ENCODER.encode(stance)

    def read(self) -> dict[str, Stance]:
        """Return what has come since the last call, by member."""
        come, self._come = self._come, {}
        return come

    def send(self) -> bytes:
        """Return the own stance as it travels."""
        return self._own

    def receive(self, member: str, notice: bytes) -> None:
        """Take in another's; ProgressError for anything malformed."""
        try:
            stance = _DECODER.decode(notice)
        except msgspec.DecodeError as error:
            raise ProgressError(f"{member!r} sent a stance that makes no sense: {error}") from error
        self._come[member] = stance
        self._on_news()


class Parcel:
    """A packed state; it is nobody's but the reader's and the next ones'."""

    def __init__(self, state: FullState) -> None:
        counts = state.counts()
        vector = state.pack()
        self.header = SnapshotHeader(
            step=counts.step, samples=counts.job_samples, extra=encode_counts(counts)
        )
        self.memory = memory_of(vector).toreadonly()
        self.digests = ChunkDigests(self.memory.nbytes)

    def release(self) -> None:
        """Let go; the last one's memory goes with it."""


class Offer:
    """The full state while it may be copied; packed when first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: FullState | None = None
        self._parcel: Parcel | None = None

    def give(self, state: FullState) -> None:
        """Offer it; it must not change until it is taken back."""
        with self._lock:
            self._state, self._parcel = state, None

    def take_back(self) -> None:
        """Offer it no more; waits for one that is being packed."""
        with self._lock:
            self._state = self._parcel = None

    def pin(self) -> Parcel | None:
        """Return it packed; None while nothing is offered."""
        with self._lock:
            if self._state is None:
                return None
            if self._parcel is None:
                self._parcel = Parcel(self._state)
            return self._parcel


@dataclass(frozen=True, slots=True)
class Lobby:
    """What a worker of a strategy with collectives shows from its very start."""

    store: TCPStore
    board: Board
    offer: Offer = field(default_factory=Offer)

    @classmethod
    def of(
        cls, strategy: Strategy, environment: ProcessEnvironment, on_news: Callable[[], None]
    ) -> "Lobby | None":
        """Open one if the strategy needs it; `on_news` is called when a stance has come.

        The store listens at the port after the process's own, so that peers need not be told;
        where the system chooses that one, it chooses the store's as well.
        """
        if not strategy.uses_collective:
            return None
        host, _, port = environment.listen.rpartition(":")
        store_port = int(port) + 1 if int(port) else 0
        return cls(host_store(host, store_port, FORM_TIMEOUT), Board(on_news))
