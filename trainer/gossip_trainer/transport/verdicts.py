"""What a sender hears about its message."""

from dataclasses import dataclass

from gossip_trainer.transport.wire import Refusal


@dataclass(frozen=True, slots=True)
class Taken:
    """The receiver has it; an answer is not asked for, or was given before."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The receiver's algorithm has taken it and answered `num_bytes`, none or all that fit."""

    step: int
    scalars: tuple[float, ...]
    num_bytes: int


@dataclass(frozen=True, slots=True)
class Pending:
    """The receiver has it and has not answered yet: settle it again."""


@dataclass(frozen=True, slots=True)
class Declined:
    """No algorithm has taken it or will."""

    reason: Refusal


Verdict = Taken | Answered | Pending | Declined
