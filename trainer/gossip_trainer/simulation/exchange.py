"""A worker's fetches and sends in virtual time, as gossip_trainer.training.exchange does them.

One after the other, beside its computing. A fetch takes a request's latency to the peer, whose
newest snapshot it then holds on to, and the transfer back. A message takes its transfer, and an
acknowledgement's latency or the transfer of its answer. The outcome is collected at a boundary.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from torch import Tensor

from gossip_trainer.algorithms.effects import Answer, Fetch, Message, Request, Send
from gossip_trainer.simulation.clock import Clock, Event
from gossip_trainer.simulation.letters import Asked, VirtualLetters
from gossip_trainer.simulation.network import Network
from gossip_trainer.simulation.replica import Snapshot, Snapshots
from gossip_trainer.training.exchange import PATIENCE_SECONDS, Arrived, Dispatch, Lost, Outcome
from gossip_trainer.training.links import Letter


class Directory(Protocol):
    """Knows every member's memory."""

    def newest(self, member: str) -> Snapshot | None:
        """Return a member's newest snapshot; None if it is gone."""
        ...

    def letters(self, member: str) -> VirtualLetters | None:
        """Return a member's letter box; None if it is gone."""
        ...


class VirtualExchange:
    """Fetches and sends of one worker.

    Args:
        name: the worker's own member name.
        clock: virtual time.
        network: carries the bytes.
        snapshots: whose they are when they are no longer read.
        directory: the other members.
        on_news: called when there is something to collect.

    Attributes:
        busy: whether something begun has neither ended nor been put aside.

    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        network: Network,
        *,
        snapshots: Snapshots,
        directory: Directory,
        on_news: Callable[[], None],
    ) -> None:
        self._name = name
        self._clock = clock
        self._network = network
        self._snapshots = snapshots
        self._directory = directory
        self._on_news = on_news
        self._queue: deque[Dispatch] = deque()
        self._current: Dispatch | None = None
        self._timer: Event | None = None
        self._outcomes: deque[tuple[Outcome, Snapshot | None]] = deque()
        self._held: Snapshot | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether something begun has neither ended, and been collected, nor been put aside."""
        return self._current is not None or bool(self._outcomes)

    def begin(self, batch: Sequence[Dispatch]) -> None:
        """Begin everything in `batch`; nothing else may be under way."""
        assert not self.busy
        self._queue.extend(batch)
        self._begin_next()

    def collect(self) -> Outcome | None:
        """Return an outcome, if there is one; a fetched vector stays until the next call."""
        self._release()
        if not self._outcomes:
            return None
        outcome, self._held = self._outcomes.popleft()
        return outcome

    def close(self) -> None:
        """Take in nothing any more; the network drops what is under way."""
        self._closed = True
        self._queue.clear()
        while self.collect() is not None:
            pass  # each lets go of the snapshot before it

    def _release(self) -> None:
        if self._held is not None:
            self._snapshots.release(self._held)
            self._held = None

    def _begin_next(self) -> None:
        if not self._queue:
            return
        self._current = dispatch = self._queue.popleft()
        assert dispatch.peer is not None, "no server is ever gone in virtual time"
        peer = dispatch.peer.name
        if isinstance(dispatch.effect, Fetch):
            self._clock.after(
                self._network.latency, partial(self._read, dispatch, dispatch.effect, peer)
            )
        else:
            self._network.send(
                self._name,
                peer,
                dispatch.effect.vector.nbytes,
                arrived=partial(self._hand_over, dispatch, dispatch.effect, peer),
                lost=partial(self._lose, dispatch, peer),
            )

    def _read(self, dispatch: Dispatch, fetch: Fetch, peer: str) -> None:
        if self._closed:
            return
        snapshot = self._directory.newest(peer)
        if snapshot is None:
            self._lose_later(dispatch, peer)
            return
        snapshot.readers += 1
        excerpt = fetch.excerpt
        read = snapshot.vector if excerpt is None else excerpt.of(snapshot.vector)
        self._network.send(
            peer,
            self._name,
            read.nbytes,
            arrived=partial(self._take_snapshot, dispatch, fetch, snapshot, read),
            lost=partial(self._lose, dispatch, peer, snapshot),
        )

    def _take_snapshot(
        self, dispatch: Dispatch, fetch: Fetch, snapshot: Snapshot, read: Tensor
    ) -> None:
        assert dispatch.peer is not None
        if self._closed:
            self._snapshots.release(snapshot)
            return
        peer, finished = dispatch.peer.name, snapshot.finished
        message = Message(read, snapshot.step, finished=finished, member=peer)
        outcome = Arrived(fetch, peer, message, finished)
        self._end(dispatch, outcome, snapshot)

    def _hand_over(self, dispatch: Dispatch, send: Send, peer: str) -> None:
        box = self._directory.letters(peer)
        if box is None:
            self._lose_later(dispatch, peer)
            return
        request = Request(self._name, dispatch.number) if send.asks else None
        message = Message(
            send.vector,
            dispatch.step,
            send.scalars,
            dispatch.number,
            request,
            member=self._name,
        )
        letter = Letter(self._name, message)
        answered = partial(self._answered, dispatch, send, peer) if send.asks else None
        if send.asks and not send.patient:
            self._timer = self._clock.after(PATIENCE_SECONDS, partial(self._put_aside, dispatch))
        if not box.deposit(Asked(letter, answered)):
            lose = partial(self._lose, dispatch, peer, finished=True)
            self._clock.after(self._network.latency, lose)
        elif not send.asks:
            done = partial(self._end, dispatch, Arrived(send, peer, None, finished=False))
            self._clock.after(self._network.latency, done)

    def _answered(self, dispatch: Dispatch, send: Send, peer: str, answer: Answer | None) -> None:
        if answer is None:
            self._lose_later(dispatch, peer)
            return
        self._stop_timer(dispatch)
        message = Message(answer.vector, answer.step, answer.scalars)
        self._network.send(
            peer,
            self._name,
            answer.vector.nbytes,
            arrived=partial(self._end, dispatch, Arrived(send, peer, message, finished=False)),
            lost=partial(self._lose, dispatch, peer),
        )

    def _put_aside(self, dispatch: Dispatch) -> None:
        """Let go of one that is long in being answered; its outcome is taken when it comes."""
        if dispatch is self._current:
            self._current = None
            self._begin_next()
            self._on_news()

    def _lose_later(self, dispatch: Dispatch, peer: str) -> None:
        self._clock.after(self._network.latency, partial(self._lose, dispatch, peer))

    def _lose(
        self,
        dispatch: Dispatch,
        peer: str,
        snapshot: Snapshot | None = None,
        *,
        finished: bool = False,
    ) -> None:
        if snapshot is not None:
            self._snapshots.release(snapshot)
        reason = f"{peer} has finished" if finished else f"{peer} is gone"
        self._end(
            dispatch,
            Lost(dispatch.effect, peer, reason, suspect=not finished, finished=finished),
        )

    def _end(self, dispatch: Dispatch, outcome: Outcome, snapshot: Snapshot | None = None) -> None:
        if self._closed:
            return
        self._outcomes.append((outcome, snapshot))
        if dispatch is self._current:
            self._stop_timer(dispatch)
            self._current = None
            self._begin_next()
        self._on_news()

    def _stop_timer(self, dispatch: Dispatch) -> None:
        if dispatch is self._current and self._timer is not None:
            self._timer.cancel()
            self._timer = None
