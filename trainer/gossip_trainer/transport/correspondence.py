"""What became of every sender's newest message: taken at most once, answered at most once.

Pure: no lock, no clock, no bytes. A place in the job (`worker-3`, whatever its incarnation) has one
message here at a time, and only its newest is remembered: whatever is older is outdated. Messages
are ordered by incarnation, process, number and attempt, so a copy that the network was slow with is
recognised however late it comes.

                begin            complete          answer            kept
    unknown -----------> Arriving -----------> Owed -----------> Kept ----------> Taken
                            | `-----------------------------------------------------^
                            |          (if it does not ask)
                            `--> Declined  (decline; settle before it was complete)

A sender that does not know what became of its message settles it. What has not come in full by then
is declined for ever, so "declined" is only said of what was not taken and will not be. The only
exceptions are senders that their successors have replaced, and receivers that close for good.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gossip_api.names import Role, parse_member_name
from gossip_trainer.transport.errors import ProtocolError
from gossip_trainer.transport.verdicts import Declined, Taken
from gossip_trainer.transport.wire import AnswerHeader, MessageId, Refusal

MAX_SENDERS: Final = 1 << 16  # places are remembered for ever; nobody is to fill the memory

Place = tuple[Role, int]
Stamp = tuple[int, MessageId]
"""Incarnation and message: of one place's the greatest is the newest."""


@dataclass(frozen=True, slots=True)
class Arriving:
    """It is being received."""


@dataclass(frozen=True, slots=True)
class Owed:
    """The owner has it, or will collect it, and is to answer."""

    ticket: int


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """The owner has answered; the answer is kept until the sender has it.

    Attributes:
        memory: the answer's bytes, which nobody changes any more.
        header: what is said about it.

    """

    memory: memoryview
    header: AnswerHeader


ARRIVING: Final = Arriving()
TAKEN: Final = Taken()  # the owner has it, or will collect it; and the sender has its answer

State = Arriving | Owed | Taken | Kept | Declined


@dataclass(slots=True)
class _Entry:
    stamp: Stamp
    state: State


class Correspondence:
    """One receiver's memory of its senders, who are named as members, such as "worker-3-0"."""

    def __init__(self) -> None:
        self._newest: dict[Place, _Entry] = {}

    def begin(self, sender: str, message: MessageId) -> State | None:
        """Return None if a message that begins is to be received, else what became of it."""
        return self._open(sender, message, ARRIVING)

    def complete(self, sender: str, message: MessageId, ticket: int | None) -> bool:
        """Tell whether the owner is to have a message that has come to its last byte.

        `ticket` is what the owner will answer to; None if the message does not ask.
        """
        entry = self._find(sender, message)
        if entry is None or entry.state is not ARRIVING:
            return False
        entry.state = TAKEN if ticket is None else Owed(ticket)
        return True

    def decline(self, sender: str, message: MessageId, reason: Refusal) -> None:
        """Refuse, once and for all, what is still arriving."""
        entry = self._find(sender, message)
        if entry is not None and entry.state is ARRIVING:
            entry.state = Declined(reason)

    def settle(self, sender: str, message: MessageId) -> State:
        """Return what became of a message; if it has not come in full it is declined now."""
        self.decline(sender, message, Refusal.MISSED)
        missed = Declined(Refusal.MISSED)
        return self._open(sender, message, missed) or missed

    def state(self, sender: str, message: MessageId) -> State:
        """Return what became of a message that has begun."""
        entry = self._find(sender, message)
        return Declined(Refusal.OUTDATED) if entry is None else entry.state

    def answer(self, sender: str, ticket: int, answer: Kept) -> bool:
        """Keep the owner's answer; tell whether anybody can still want it."""
        entry = self._newest.get(_place(sender)[0])
        if entry is None or entry.state != Owed(ticket):
            return False
        entry.state = answer
        return True

    def kept(self, sender: str, message: MessageId) -> None:
        """Drop an answer that has arrived."""
        entry = self._find(sender, message)
        if entry is not None and isinstance(entry.state, Kept):
            entry.state = TAKEN

    def close(self) -> None:
        """Decline what waits for an answer: the owner gives none any more."""
        for entry in self._newest.values():
            if isinstance(entry.state, Owed):
                entry.state = Declined(Refusal.FINISHED)

    def _open(self, sender: str, message: MessageId, state: State) -> State | None:
        """Remember `state` of a message that is new; else return what there is to say of it."""
        place, incarnation = _place(sender)
        stamp = (incarnation, message)
        entry = self._newest.get(place)
        if entry is None:
            if len(self._newest) >= MAX_SENDERS:
                return Declined(Refusal.FULL)
            self._newest[place] = _Entry(stamp, state)
            return None
        if stamp == entry.stamp:
            return entry.state
        if stamp < entry.stamp:
            return Declined(Refusal.OUTDATED)
        # A new entry: whoever still receives for the one before finds itself outdated.
        self._newest[place] = _Entry(stamp, state)
        return None

    def _find(self, sender: str, message: MessageId) -> _Entry | None:
        place, incarnation = _place(sender)
        entry = self._newest.get(place)
        return entry if entry is not None and entry.stamp == (incarnation, message) else None


@lru_cache(maxsize=1024)
def _place(sender: str) -> tuple[Place, int]:
    """Return a member's place and incarnation; raise ProtocolError if it cannot be one."""
    try:
        member = parse_member_name(sender)
    except ValueError as error:
        raise ProtocolError(f"a message of {sender!r}, which is no member's name") from error
    return (member.role, member.index), member.incarnation
