"""The exchange: carries out fetches and sends beside the training thread, in order, one at a time.

The training thread begins a batch and collects the outcomes at a later step boundary, or waits for
news of them when the strategy says so. One receive buffer is enough: what arrived is mixed in
before the next batch begins. A peer that is dead, stopped or slow costs the exchange with it and
nothing else.

From a peer whose memory is shared a fetch is one copy, cheaper than waking a thread: it is done at
once where it begins, and collected like any other. If that memory is stale the thread asks the peer
itself, for it may be in the middle of a long step, stopped or dead.

A message that the network leaves in doubt, or that is long in being answered, is put aside: the
exchange is free for the next, and what became of it is found out later. Only a patient one is not.
It keeps the exchange busy until its receiver, or whoever takes that one's place, has answered it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, Protocol

import torch
from torch import Tensor

from gossip_trainer.algorithms.effects import Fetch, Message, Send
from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.training.errand import Errand, Locate, Messenger
from gossip_trainer.training.postman import Postman
from gossip_trainer.transport.errors import NotReady, PeerLost
from gossip_trainer.transport.verdicts import Answered, Declined, Verdict
from gossip_trainer.transport.wire import MessageHeader, MessageId, Refusal, SnapshotHeader

PATIENCE_SECONDS: Final = 10.0  # how long an answer keeps the exchange busy
CLOSE_SECONDS: Final = 5.0


class Client(Messenger, Protocol):
    """The transport's client side."""

    def pull(
        self,
        address: tuple[str, int],
        into: memoryview,
        *,
        expect: str | None,
        excerpt: Excerpt | None,
    ) -> SnapshotHeader:
        """Receive the newest snapshot of the member `expect`, or that of it, into `into`."""
        ...

    def abort(self) -> None:
        """Make what is under way fail at once."""
        ...


class SharedReader(Protocol):
    """Reads the memory that peers on this machine share."""

    def pull(
        self, path: str, into: memoryview, *, expect: str, start: int | None
    ) -> SnapshotHeader:
        """Copy the newest snapshot of `expect`, or a part from byte `start` on, into `into`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Dispatch:
    """Something to carry out.

    Attributes:
        effect: what.
        number: counts the sends of this process upwards.
        step: the own one.
        peer: with whom; None only of a patient send, which waits for its receiver.

    """

    effect: Fetch | Send
    number: int
    step: int
    peer: Endpoint | None


@dataclass(frozen=True, slots=True)
class Arrived:
    """An effect has ended well; the message's vector is valid until the next batch begins."""

    effect: Fetch | Send
    peer: str
    message: Message | None  # None where nothing was asked for
    finished: bool  # the peer will not change its model any more


@dataclass(frozen=True, slots=True)
class Lost:
    """An effect came to nothing."""

    effect: Fetch | Send
    peer: str
    reason: str
    suspect: bool  # whether to leave the peer alone for a while
    finished: bool = False  # the peer's work is done


Outcome = Arrived | Lost


class Exchange:
    """Carries out fetches and sends, those that need the network in a thread of its own.

    Args:
        client: the transport's client.
        buffer: where vectors are received, on the CPU: a fetch takes all of it or as much as it
            reads, an asking send as much as it sends.
        locate: finds out where a party is; called from any thread.
        started: when this process began, in ns; tells it from an earlier one of the same name.
        on_news: called, from any thread, when there is something to collect or `busy` has ended.
        on_ended: told, by any thread, how many seconds something took from its beginning to what
            became of it, collected or not.
        shared: reads the memory of those peers that share it; None goes over the network to all.

    """

    def __init__(
        self,
        client: Client,
        buffer: Tensor,
        *,
        locate: Locate,
        started: int,
        on_news: Callable[[], None],
        on_ended: Callable[[float], None] = lambda _seconds: None,
        shared: SharedReader | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._client = client
        self._buffer = buffer
        self._started = started
        self._on_news = on_news
        self._on_ended = on_ended
        self._shared = shared
        self._clock = clock
        self._began: dict[Fetch | Send, float] = {}  # of what has not ended
        self._requests: SimpleQueue[tuple[Dispatch, Tensor] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[tuple[Outcome, bool]] = SimpleQueue()  # and whether it was busy
        self._guard = threading.Lock()
        self._num_open = 0
        self._postman = Postman(client, locate, self._conclude, patience_seconds=PATIENCE_SECONDS)
        self._thread = threading.Thread(target=self._serve, name="exchange", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether something begun has neither been collected nor been put aside."""
        return self._num_open > 0

    def begin(self, batch: Sequence[Dispatch]) -> None:
        """Begin everything in `batch`; the batch before must have been collected."""
        assert not self.busy
        self._num_open = len(batch)
        for dispatch, vector in zip(batch, self._cut_buffer(batch), strict=True):
            self._began[dispatch.effect] = self._clock()
            outcome = self._read_shared(dispatch)
            if outcome is None:
                self._requests.put((dispatch, vector))
            else:
                self._end(outcome, was_busy=True)

    def collect(self) -> Outcome | None:
        """Return what something has come to, or None if there is no news."""
        try:
            outcome, was_busy = self._outcomes.get_nowait()
        except Empty:
            return None
        if was_busy:
            self._end_one()
        return outcome

    def close(self) -> None:
        """End the threads; what is under way is aborted."""
        self._requests.put(None)
        deadline = time.monotonic() + CLOSE_SECONDS
        for thread in (self._thread, *self._postman.close()):
            while thread.is_alive() and time.monotonic() < deadline:
                self._client.abort()
                thread.join(0.1)

    def _serve(self) -> None:
        while (request := self._requests.get()) is not None:
            outcome = self._carry_out(*request)
            if outcome is None:
                self._end_one()
            else:
                self._end(outcome, was_busy=True)
            self._on_news()

    def _carry_out(self, dispatch: Dispatch, vector: Tensor) -> Outcome | None:
        effect = dispatch.effect
        if isinstance(effect, Fetch):
            return self._fetch(effect, dispatch, vector)
        if effect.patient:
            return self._insist(effect, dispatch, vector)
        return self._send(effect, dispatch, vector)

    def _fetch(self, fetch: Fetch, dispatch: Dispatch, vector: Tensor) -> Outcome:
        peer = dispatch.peer
        assert peer is not None, "a fetch is of somebody"
        try:
            header = self._client.pull(
                peer.address, memory_of(vector), expect=peer.name, excerpt=fetch.excerpt
            )
        except GossipTrainerError as error:
            return _lost(fetch, peer, error)
        return _fetched(fetch, peer, header, vector)

    def _read_shared(self, dispatch: Dispatch) -> Outcome | None:
        """Return what the peer's memory brings; None if the peer itself is to be asked."""
        fetch, peer = dispatch.effect, dispatch.peer
        if not isinstance(fetch, Fetch) or self._shared is None or not (peer and peer.memory):
            return None
        whole, excerpt, start = self._buffer, fetch.excerpt, None
        if excerpt is not None:
            # Nobody rounds for the reader here: it reads the values and does it itself.
            whole = whole[: excerpt.stop - excerpt.start]
            start = excerpt.start * whole.itemsize
        try:
            header = self._shared.pull(peer.memory, memory_of(whole), expect=peer.name, start=start)
        except PeerLost:
            return None
        except GossipTrainerError as error:
            return _lost(fetch, peer, error)
        read = whole if excerpt is None else excerpt.rounded(whole)
        return _fetched(fetch, peer, header, read)

    def _send(self, send: Send, dispatch: Dispatch, vector: Tensor) -> Outcome | None:
        """Bring a message to its receiver; None if it was put aside."""
        peer = dispatch.peer
        assert peer is not None, "only a patient message waits for its receiver"
        if self._postman.is_in_doubt(send.to):
            reason = f"what became of an earlier message to {peer.name} is still in doubt"
            return Lost(send, peer.name, reason, suspect=False)
        errand = self._errand(send, dispatch, vector, peer)
        try:
            verdict = self._postman.bring(errand)
        except GossipTrainerError as error:
            return _lost(send, peer, error)
        return None if verdict is None else _settled(errand, verdict)

    def _insist(self, send: Send, dispatch: Dispatch, vector: Tensor) -> Outcome | None:
        """Bring a message to whoever is in the receiver's place; None when closed."""
        brought = self._postman.insist(send.to, partial(self._errand, send, dispatch, vector))
        return None if brought is None else _settled(*brought)

    def _errand(
        self, send: Send, dispatch: Dispatch, answer: Tensor, peer: Endpoint, attempt: int = 0
    ) -> Errand:
        message = MessageId(self._started, dispatch.number, attempt)
        header = MessageHeader(message, send.asks, dispatch.step, send.scalars)
        return Errand(send, header, peer, answer)

    def _conclude(self, errand: Errand, verdict: Verdict | None) -> None:
        """Take in what became of a message that was put aside."""
        self._end(_settled(errand, verdict), was_busy=False)
        self._on_news()

    def _end(self, outcome: Outcome, *, was_busy: bool) -> None:
        self._on_ended(self._clock() - self._began.pop(outcome.effect))
        self._outcomes.put((outcome, was_busy))

    def _cut_buffer(self, batch: Sequence[Dispatch]) -> Iterator[Tensor]:
        """Yield the part of the buffer that each of `batch` may fill."""
        room = self._buffer.view(torch.uint8)
        for dispatch in batch:
            like = self._like(dispatch.effect)
            assert like.nbytes <= room.nbytes, "more would arrive at once than there is room for"
            yield room[: like.nbytes].view(like.dtype)
            room = room[-(-like.nbytes // self._buffer.itemsize) * self._buffer.itemsize :]

    def _like(self, effect: Fetch | Send) -> Tensor:
        """Return a vector of the shape and dtype of what `effect` brings."""
        if isinstance(effect, Send):
            return effect.vector if effect.asks else effect.vector[:0]
        return self._buffer if effect.excerpt is None else effect.excerpt.room(self._buffer)

    def _end_one(self) -> None:
        with self._guard:
            self._num_open -= 1


def _fetched(fetch: Fetch, peer: Endpoint, header: SnapshotHeader, vector: Tensor) -> Arrived:
    message = Message(vector, header.step, finished=header.finished, member=peer.name)
    return Arrived(fetch, peer.name, message, header.finished)


def _settled(errand: Errand, verdict: Verdict | None) -> Outcome:
    """Return what a message has come to; without a verdict its receiver is gone."""
    send, peer = errand.send, errand.peer.name
    if verdict is None:
        return Lost(send, peer, f"{peer} left before it told what became of it", suspect=False)
    if isinstance(verdict, Declined):
        is_finished = verdict.reason is Refusal.FINISHED
        reason = f"{peer} did not take the message: {verdict.reason}"
        return Lost(send, peer, reason, suspect=False, finished=is_finished)
    if not send.asks:
        return Arrived(send, peer, None, finished=False)
    if not isinstance(verdict, Answered):
        return Lost(send, peer, f"{peer} no longer has its answer", suspect=False)
    vector = errand.answer if verdict.num_bytes else errand.answer[:0]
    message = Message(vector, verdict.step, verdict.scalars)
    return Arrived(send, peer, message, finished=False)


def _lost(effect: Fetch | Send, peer: Endpoint, error: GossipTrainerError) -> Lost:
    return Lost(effect, peer.name, str(error), suspect=not isinstance(error, NotReady))
