"""Where messages lie between the threads that receive them and the owner that takes them in.

Serving threads fill a bounded number of slots; the owner, one thread, empties them in the order in
which they were filled, and answers some. What lies here is the owner's: it stays when the mailbox
is closed.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gossip_trainer.transport.correspondence import Correspondence, Kept, Owed, State
from gossip_trainer.transport.wire import AnswerHeader, MessageHeader, MessageId, Refusal

NOTHING: Final = memoryview(bytearray())


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """A message that is being received: its bytes go to `memory`."""

    sender: str
    header: MessageHeader
    memory: memoryview
    buffer: bytearray | None


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A message that the owner has collected.

    Attributes:
        sender: a member's name.
        number: as the sender counts its messages.
        ticket: what an answer belongs to; never the same twice.
        memory: its bytes, the owner's until it is released.
        asks: whether it is to be answered.
        step: the sender's.
        scalars: what came with it.

    """

    sender: str
    number: int
    ticket: int
    memory: memoryview
    asks: bool
    step: int
    scalars: tuple[float, ...]
    buffer: bytearray | None


class Mailbox:
    """One process's mailbox.

    Args:
        num_bytes: of every message that is not empty.
        capacity: how many messages may be here at once, from the first byte to their release.
        on_news: called, by a serving thread, when there is one to collect.

    Attributes:
        num_bytes: of every message that is not empty.

    """

    def __init__(self, num_bytes: int, capacity: int, on_news: Callable[[], None]) -> None:
        self.num_bytes = num_bytes
        self._on_news = on_news
        self._correspondence = Correspondence()
        self._changed = threading.Condition()
        self._num_free = capacity
        self._buffers: list[bytearray] = []  # made when first needed, used again
        self._queue: deque[Delivery] = deque()
        self._num_deliveries = 0
        self._is_closed = False

    # The owner's side

    def collect(self) -> Delivery | None:
        """Return the next message, if there is one."""
        with self._changed:
            return self._queue.popleft() if self._queue else None

    def release(self, delivery: Delivery) -> None:
        """Give back a message's memory, once."""
        self._free(delivery.buffer)

    def answer(
        self,
        sender: str,
        ticket: int,
        memory: memoryview,
        *,
        step: int = 0,
        scalars: tuple[float, ...] = (),
    ) -> None:
        """Answer a message that asks; nobody may change `memory` any more.

        Whoever asked may be gone meanwhile: then nothing happens.
        """
        with self._changed:
            answer = Kept(memory, AnswerHeader(step, scalars))
            if self._correspondence.answer(sender, ticket, answer):
                self._changed.notify_all()

    def close(self, *, now: bool = False) -> None:
        """Take no more; with `now` nothing is collected or answered any more either."""
        with self._changed:
            self._is_closed = True
            if now:
                while self._queue:
                    self._free(self._queue.pop().buffer)
                self._correspondence.close()
            self._changed.notify_all()

    # The serving threads' side

    def begin(
        self, sender: str, header: MessageHeader, num_bytes: int, seconds: float
    ) -> Arrival | State:
        """Make room for a message, waiting at most `seconds`; or return what became of it."""
        with self._changed:
            state = self._correspondence.begin(sender, header.id)
            if state is not None:
                return state
            if not self._num_free:
                self._changed.wait_for(lambda: self._num_free > 0 or self._is_closed, seconds)
            if self._is_closed or not self._num_free:
                reason = Refusal.FINISHED if self._is_closed else Refusal.FULL
                self._correspondence.decline(sender, header.id, reason)
                return self._correspondence.state(sender, header.id)
            self._num_free -= 1
            if not num_bytes:
                return Arrival(sender, header, NOTHING, None)
            buffer = self._buffers.pop() if self._buffers else bytearray(self.num_bytes)
            return Arrival(sender, header, memoryview(buffer), buffer)

    def complete(self, arrival: Arrival) -> None:
        """Give the owner what has arrived, unless it was settled or the mailbox closed before."""
        header = arrival.header
        with self._changed:
            if self._is_closed:
                self._correspondence.decline(arrival.sender, header.id, Refusal.FINISHED)
            ticket = self._num_deliveries + 1
            asked = ticket if header.asks else None
            if not self._correspondence.complete(arrival.sender, header.id, asked):
                self._free(arrival.buffer)
                return
            self._num_deliveries = ticket
            self._queue.append(
                Delivery(
                    sender=arrival.sender,
                    number=header.id.number,
                    ticket=ticket,
                    memory=arrival.memory,
                    asks=header.asks,
                    step=header.step,
                    scalars=header.scalars,
                    buffer=arrival.buffer,
                )
            )
        self._on_news()

    def abandon(self, arrival: Arrival) -> None:
        """Give up a message that did not arrive in full."""
        with self._changed:
            self._correspondence.decline(arrival.sender, arrival.header.id, Refusal.MISSED)
            self._free(arrival.buffer)

    def state(self, sender: str, message: MessageId, seconds: float) -> State:
        """Return what became of a message that has begun; wait so long at most for its answer."""
        deadline = None
        with self._changed:
            while isinstance(state := self._correspondence.state(sender, message), Owed):
                now = time.monotonic()
                deadline = deadline or now + seconds
                if now >= deadline:
                    break
                self._changed.wait(deadline - now)
        return state

    def settle(self, sender: str, message: MessageId, seconds: float) -> State:
        """Return what became of a message, declining it if it has not come; wait as in `state`."""
        with self._changed:
            self._correspondence.settle(sender, message)
        return self.state(sender, message, seconds)

    def kept(self, sender: str, message: MessageId) -> None:
        """Drop an answer that has arrived."""
        with self._changed:
            self._correspondence.kept(sender, message)

    def _free(self, buffer: bytearray | None) -> None:
        with self._changed:
            self._num_free += 1
            if buffer is not None:
                self._buffers.append(buffer)
            self._changed.notify_all()
