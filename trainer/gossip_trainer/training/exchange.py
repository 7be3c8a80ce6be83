"""The exchange: carries out fetches, one at a time, beside the training thread.

The training thread begins a fetch and collects its outcome at a later step boundary, or waits for
it when the strategy says so. One receive buffer is enough: what arrived is mixed in before the next
fetch begins. A peer that is dead, stopped or slow costs the fetch from it and nothing else.

From a peer whose memory is shared a fetch is one copy, cheaper than waking a thread: it is done at
once where it begins, and collected like any other. If that memory is stale the thread asks the peer
itself, for it may be in the middle of a long step, stopped or dead.
"""

import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

from torch import Tensor

from gossip_trainer.algorithms.effects import Fetch, Message
from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.transport.errors import NotReady, PeerLost
from gossip_trainer.transport.wire import SnapshotHeader


class Puller(Protocol):
    """The transport's client side."""

    def pull(
        self, address: tuple[str, int], into: memoryview, *, expect: str | None
    ) -> SnapshotHeader:
        """Receive the newest snapshot of the member `expect` into `into`."""
        ...

    def abort(self) -> None:
        """Make a pull under way fail at once."""
        ...


class SharedReader(Protocol):
    """Reads the memory that peers on this machine share."""

    def pull(self, path: str, into: memoryview, *, expect: str) -> SnapshotHeader:
        """Copy the newest snapshot of the member `expect` into `into`."""
        ...


@dataclass(frozen=True, slots=True)
class Arrived:
    """A fetch brought a snapshot; the message's vector is valid until the next fetch begins."""

    fetch: Fetch
    peer: str
    message: Message
    finished: bool  # the peer will not change its model any more


@dataclass(frozen=True, slots=True)
class Lost:
    """A fetch brought nothing."""

    fetch: Fetch
    peer: str
    reason: str
    suspect: bool  # whether to leave the peer alone for a while


Outcome = Arrived | Lost


class Exchange:
    """Runs fetches, those that need the network in a thread of its own.

    Args:
        puller: the transport's client.
        buffer: where snapshots are received, a CPU vector of the model's size.
        shared: reads the memory of those peers that share it; None goes over the network to all.

    Attributes:
        busy: whether a fetch is under way or its outcome not yet collected.

    """

    def __init__(self, puller: Puller, buffer: Tensor, shared: SharedReader | None = None) -> None:
        self._puller = puller
        self._shared = shared
        self._buffer = buffer
        self._memory = memory_of(buffer)
        self._requests: SimpleQueue[tuple[Fetch, Endpoint] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self.busy = False
        self._thread = threading.Thread(target=self._serve, name="exchange", daemon=True)
        self._thread.start()

    def begin(self, fetch: Fetch, peer: Endpoint) -> None:
        """Begin a fetch; the one before must have been collected."""
        assert not self.busy
        self.busy = True
        outcome = self._read_shared(fetch, peer)
        if outcome is None:
            self._requests.put((fetch, peer))
        else:
            self._outcomes.put(outcome)

    def collect(self, wait_seconds: float = 0.0) -> Outcome | None:
        """Return the outcome of the fetch under way, or None if there is none in time."""
        if not self.busy:
            return None
        try:
            if wait_seconds > 0.0:
                outcome = self._outcomes.get(timeout=wait_seconds)
            else:
                outcome = self._outcomes.get_nowait()
        except Empty:
            return None
        self.busy = False
        return outcome

    def close(self) -> None:
        """End the thread; a fetch under way is aborted."""
        self._requests.put(None)
        self._puller.abort()
        self._thread.join(timeout=5.0)

    def _serve(self) -> None:
        while (request := self._requests.get()) is not None:
            fetch, peer = request
            try:
                header = self._puller.pull(peer.address, self._memory, expect=peer.name)
            except GossipTrainerError as error:
                self._outcomes.put(_lost(fetch, peer, error))
            else:
                self._outcomes.put(self._arrived(fetch, peer, header))

    def _read_shared(self, fetch: Fetch, peer: Endpoint) -> Outcome | None:
        """Return what the peer's memory brings; None if the peer itself is to be asked."""
        if self._shared is None or not peer.memory:
            return None
        try:
            header = self._shared.pull(peer.memory, self._memory, expect=peer.name)
        except PeerLost:
            return None
        except GossipTrainerError as error:
            return _lost(fetch, peer, error)
        return self._arrived(fetch, peer, header)

    def _arrived(self, fetch: Fetch, peer: Endpoint, header: SnapshotHeader) -> Arrived:
        return Arrived(fetch, peer.name, Message(self._buffer, header.step), header.finished)


def _lost(fetch: Fetch, peer: Endpoint, error: GossipTrainerError) -> Lost:
    return Lost(fetch, peer.name, str(error), suspect=not isinstance(error, NotReady))
