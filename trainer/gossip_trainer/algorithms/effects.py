"""What an algorithm asks for, as data; carrying it out is the runtime's or the simulator's part."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from torch import Tensor

Rank = NewType("Rank", int)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the newest published snapshot of `peer`; the peer's algorithm is not involved."""

    peer: Rank


@dataclass(frozen=True, slots=True)
class Average:
    """Replace `vector` by its mean over all members of the view, a collective operation."""

    vector: Tensor


@dataclass(frozen=True, slots=True)
class Wait:
    """Do not go on before `effect` has been delivered or lost."""

    effect: Fetch | Average


Effect = Fetch | Average | Wait
Effects = Sequence[Effect]


class Loss(StrEnum):
    """Why an effect could not be carried out."""

    BUSY = "busy"  # the exchange before is still under way
    PEER = "peer"  # the peer is gone, stopped, too slow, or refused


@dataclass(frozen=True, slots=True)
class Message:
    """What arrived for an effect: a peer's vector and the step it was published at."""

    vector: Tensor  # (size,), valid during the call only
    step: int
