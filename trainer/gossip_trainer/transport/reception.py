"""The server's end of the messages on one connection: received, put into the mailbox, answered.

A process without a mailbox declines them all. A message that is declined is received and thrown
away first, for its sender listens only after it has sent it all.
"""

from gossip_trainer.transport.correspondence import Kept, State
from gossip_trainer.transport.errors import ProtocolError
from gossip_trainer.transport.framing import Framing
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.mailbox import Arrival, Mailbox
from gossip_trainer.transport.payload import Intake, payload_bytes, send_payload
from gossip_trainer.transport.snapshots import Courier
from gossip_trainer.transport.verdicts import Declined, Taken
from gossip_trainer.transport.wire import (
    MAX_GREETING_BYTES,
    Acknowledged,
    Answering,
    Declining,
    Keeping,
    Kind,
    MessageHeader,
    MessageId,
    Prefix,
    Refusal,
    Sending,
    Settling,
    decode,
)


class Reception:
    """Takes one member's messages.

    Args:
        framing: to the member.
        sender: the member.
        mailbox: where messages go, if any are taken.
        courier: sends facts along.
        limits: a quarter of their window is how long room for a message, and half of it how long
            an answer is waited for: the sender must see progress meanwhile.

    """

    def __init__(
        self,
        framing: Framing,
        sender: str,
        mailbox: Mailbox | None,
        courier: Courier,
        limits: Limits,
    ) -> None:
        self._framing = framing
        self._sender = sender
        self._mailbox = mailbox
        self._courier = courier
        self._room_seconds = limits.window_seconds / 4
        self._answer_seconds = limits.window_seconds / 2

    def take(self, prefix: Prefix, data: memoryview, max_bytes: int) -> None:
        """Answer SEND; a message of more than `max_bytes`, or of another size, ends it all."""
        sending = decode(Sending, data)
        self._check_size(prefix, max_bytes)
        self._courier.receive(self._sender, sending.gossip)
        if self._mailbox is None:
            self._framing.drain(prefix.payload_bytes)
            self._reply(sending.message.id, Declined(Refusal.UNWELCOME))
        else:
            self._reply(sending.message.id, self._receive(self._mailbox, prefix, sending.message))

    def settle(self, data: memoryview) -> None:
        """Answer SETTLE."""
        settling = decode(Settling, data)
        self._courier.receive(self._sender, settling.gossip)
        state: State = Declined(Refusal.UNWELCOME)
        if self._mailbox is not None:
            state = self._mailbox.settle(self._sender, settling.id, self._answer_seconds)
        self._reply(settling.id, state)

    def _check_size(self, prefix: Prefix, max_bytes: int) -> None:
        mailbox, found = self._mailbox, prefix.payload_bytes
        most = payload_bytes(self._framing, max_bytes if mailbox is None else mailbox.num_bytes)
        if found > most or (mailbox is not None and found not in {0, most}):
            raise ProtocolError(
                f"{self._sender} sends a message of {found} bytes, {most} or none are taken"
            )

    def _receive(self, mailbox: Mailbox, prefix: Prefix, header: MessageHeader) -> State:
        arrival = mailbox.begin(self._sender, header, prefix.payload_bytes, self._room_seconds)
        if not isinstance(arrival, Arrival):
            self._framing.drain(prefix.payload_bytes)
            return arrival
        is_complete = False
        try:
            intake = Intake(self._framing, arrival.memory)
            self._framing.receive_payload(intake.first)
            intake.finish(f"message {header.id.number} of {self._sender}")
            is_complete = True
        finally:
            if not is_complete:
                mailbox.abandon(arrival)
        mailbox.complete(arrival)
        return mailbox.state(self._sender, header.id, self._answer_seconds)

    def _reply(self, message: MessageId, state: State) -> None:
        gossip = self._courier.send()
        match state:
            case Kept():
                self._answer(message, state, gossip)
            case Taken():
                self._framing.send(Kind.TAKEN, Acknowledged(gossip=gossip))
            case Declined(reason):
                self._framing.send(Kind.DECLINED, Declining(reason=reason, gossip=gossip))
            case _:  # the answer is owed, or the message is arriving over another connection
                self._framing.send(Kind.PENDING, Acknowledged(gossip=gossip))

    def _answer(self, message: MessageId, answer: Kept, gossip: bytes) -> None:
        """Send an answer and keep it until the sender has it."""
        size = payload_bytes(self._framing, answer.memory.nbytes)
        header = Answering(answer=answer.header, gossip=gossip)
        head = self._framing.encode(Kind.ANSWER, header, payload_bytes=size)
        send_payload(self._framing, head, answer.memory)
        prefix = self._framing.receive_prefix(MAX_GREETING_BYTES)
        if prefix.kind is not Kind.KEPT or prefix.payload_bytes:
            raise ProtocolError(f"{self._sender} sends {prefix.kind.name} where KEPT is due")
        keeping = decode(Keeping, self._framing.receive_header(prefix))
        if keeping.id != message:
            raise ProtocolError(f"{self._sender} keeps the answer to another message than it asked")
        assert self._mailbox is not None, "nobody else answers"
        self._mailbox.kept(self._sender, message)
