"""What an algorithm asks for, as data; carrying it out is the runtime's or the simulator's part.

A `Fetch` reads; a `Send` changes the receiver. The runtime owes a `Send` this: the receiver's
algorithm takes it exactly once and its answer comes back exactly once, however often the network
loses, repeats or delays either; or it is lost, which is only said of a message that no live
algorithm has taken or will take. Only the death of an end can break that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from torch import Tensor

from gossip_trainer.compression.excerpt import Excerpt

Rank = NewType("Rank", int)


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """The server that holds one part of the job's model."""

    index: int


Party = Rank | Shard
"""A worker, by its rank, or a server."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the newest published snapshot of `peer`; the peer's algorithm is not involved.

    Attributes:
        peer: whose.
        excerpt: what of it, perhaps rounded; all of it, as it is, if None.

    """

    peer: Rank
    excerpt: Excerpt | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Send:
    """Give a message to another's algorithm; ends with `on_answer`, or with `on_lost`.

    Attributes:
        to: the receiver.
        vector: shape (n,), which nobody changes any more; may be empty, or encoded as bytes. An
            answer is of the same shape and dtype, or empty.
        scalars: what goes with it.
        asks: whether it ends with what the receiver's algorithm answers, instead of as soon as the
            receiver has it.
        patient: not lost with the receiver but put to whoever takes its place, however late.

    """

    to: Party
    vector: Tensor
    scalars: tuple[float, ...] = ()
    asks: bool = False
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """Which of a sender's messages an answer belongs to; opaque to an algorithm."""

    sender: str  # a member's name
    number: int  # whatever tells its messages apart where it was received


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Answer a message that asks, now or later; nobody changes `vector`, shape (n,), any more."""

    request: Request
    vector: Tensor
    scalars: tuple[float, ...] = ()
    step: int = 0


@dataclass(frozen=True, slots=True)
class Hear:
    """A message of `peer` whose first scalar is `key` is due; ends with it, or with `on_lost`.

    It is lost when the peer is gone or after `seconds`.
    """

    peer: Rank
    key: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Average:
    """Replace `vector` by its mean over all workers, a collective operation."""

    vector: Tensor


@dataclass(frozen=True, slots=True)
class Wait:
    """Do not go on before `effect` has ended."""

    effect: Fetch | Send | Hear | Average


@dataclass(frozen=True, slots=True)
class Skip:
    """An exchange was due, but the one before is still under way."""


Effect = Fetch | Send | Answer | Average | Wait | Skip
Effects = Sequence[Effect]


class Loss(StrEnum):
    """Why an effect came to nothing."""

    PEER = "peer"  # the peer is gone, stopped, too slow, or refused
    DEADLINE = "deadline"  # what was to be heard did not come in time


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """What a peer published, sent or answered.

    Attributes:
        vector: shape (n,), valid during the call only.
        step: the sender's step; of a server's answer, how many updates its part has seen.
        scalars: what came with it.
        number: of what another sent here, as the sender counts its sends from 1.
        request: what to answer, if the sender asks.
        finished: of a snapshot, whether the peer will not change its model any more.
        member: of a snapshot and of what another sent here, whose it is, for the log.

    """

    vector: Tensor
    step: int = 0
    scalars: tuple[float, ...] = ()
    number: int = 0
    request: Request | None = None
    finished: bool = False
    member: str = ""
