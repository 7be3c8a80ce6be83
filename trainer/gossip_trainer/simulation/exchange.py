"""A worker's exchange in virtual time: one fetch at a time, beside its computing.

A fetch takes a request's latency to the peer, whose newest snapshot it then holds on to, and the
transfer back. Its outcome is collected at a step boundary, as in gossip_trainer.training.exchange.
"""

from collections.abc import Callable
from functools import partial

from gossip_trainer.algorithms.effects import Fetch, Message
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.simulation.clock import Clock, Signal
from gossip_trainer.simulation.network import Network
from gossip_trainer.simulation.replica import Snapshot, Snapshots
from gossip_trainer.training.exchange import Arrived, Lost, Outcome

Newest = Callable[[str], Snapshot | None]


class VirtualExchange:
    """Fetches of one worker.

    Args:
        name: the worker's own member name.
        clock: virtual time.
        network: carries the snapshots.
        snapshots: whose they are when they are no longer read.
        newest: from a member's name to its newest snapshot; None if it is gone.

    Attributes:
        ended: whether the fetch under way has an outcome to collect; None if none is under way.

    """

    def __init__(
        self, name: str, clock: Clock, network: Network, snapshots: Snapshots, newest: Newest
    ) -> None:
        self._name = name
        self._clock = clock
        self._network = network
        self._snapshots = snapshots
        self._newest = newest
        self._outcome: Outcome | None = None
        self._held: Snapshot | None = None
        self._closed = False
        self.ended: Signal | None = None

    @property
    def busy(self) -> bool:
        """Whether a fetch is under way or its outcome not yet collected."""
        return self.ended is not None

    def begin(self, fetch: Fetch, peer: Endpoint) -> Signal:
        """Begin a fetch; the one before must have been collected. The signal tells of its end."""
        assert not self.busy
        self.ended = Signal()
        self._clock.after(self._network.latency, partial(self._at_peer, fetch, peer.name))
        return self.ended

    def collect(self) -> Outcome | None:
        """Return the outcome of the fetch under way, if there is one by now.

        The message's vector stays as it is until `release`.
        """
        if self._outcome is None:
            return None
        outcome, self._outcome, self.ended = self._outcome, None, None
        return outcome

    def release(self) -> None:
        """Let go of the snapshot that was collected."""
        if self._held is not None:
            self._snapshots.release(self._held)
            self._held = None

    def close(self) -> None:
        """Take in nothing any more; the network drops what is under way."""
        self._closed = True
        self.release()

    def _at_peer(self, fetch: Fetch, peer: str) -> None:
        if self._closed:
            return
        snapshot = self._newest(peer)
        if snapshot is None:
            self._clock.after(self._network.latency, partial(self._lose, fetch, peer, None))
            return
        snapshot.readers += 1
        self._network.send(
            peer,
            self._name,
            snapshot.vector.nbytes,
            arrived=partial(self._arrive, fetch, peer, snapshot),
            lost=partial(self._lose, fetch, peer, snapshot),
        )

    def _arrive(self, fetch: Fetch, peer: str, snapshot: Snapshot) -> None:
        self._held = snapshot
        if self._closed:
            self.release()
            return
        message = Message(snapshot.vector, snapshot.step)
        self._end(Arrived(fetch, peer, message, snapshot.finished))

    def _lose(self, fetch: Fetch, peer: str, snapshot: Snapshot | None) -> None:
        if snapshot is not None:
            self._snapshots.release(snapshot)
        self._end(Lost(fetch, peer, f"{peer} is gone", suspect=True))

    def _end(self, outcome: Outcome) -> None:
        assert self.ended is not None
        self._outcome = outcome
        self.ended.give()
