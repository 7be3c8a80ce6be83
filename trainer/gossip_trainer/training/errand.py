"""One message on its way to one member."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from gossip_trainer.algorithms.effects import Party, Send
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.transport.verdicts import Verdict
from gossip_trainer.transport.wire import MessageHeader, MessageId

Locate = Callable[[Party], Endpoint | None]


class Messenger(Protocol):
    """What of the transport's client messages need."""

    def send(
        self,
        address: tuple[str, int],
        header: MessageHeader,
        payload: memoryview,
        into: memoryview,
        *,
        expect: str,
    ) -> Verdict:
        """Send a message to the member `expect`, its answer going to `into`."""
        ...

    def settle(
        self, address: tuple[str, int], message: MessageId, into: memoryview, *, expect: str
    ) -> Verdict:
        """Ask the member `expect` what became of a message."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Errand:
    """A message, its receiver, and room for the answer.

    Attributes:
        send: what is sent.
        header: what is said about it.
        peer: whom it is sent to.
        answer: where an answer goes, of the size it has unless it is empty.

    """

    send: Send
    header: MessageHeader
    peer: Endpoint
    answer: Tensor

    def put(self, messenger: Messenger) -> Verdict:
        """Send it, once."""
        peer, vector = self.peer, memory_of(self.send.vector)
        into = memory_of(self.answer)
        return messenger.send(peer.address, self.header, vector, into, expect=peer.name)

    def settle(self, messenger: Messenger) -> Verdict:
        """Ask what became of it."""
        peer, into = self.peer, memory_of(self.answer)
        return messenger.settle(peer.address, self.header.id, into, expect=peer.name)

    def is_in_place(self, locate: Locate) -> bool:
        """Tell whether the receiver is still the one in its place."""
        found = locate(self.send.to)
        return found is not None and found.name == self.peer.name
