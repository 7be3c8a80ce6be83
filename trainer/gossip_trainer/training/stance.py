"""What workers that agree on groups show each other: ballots and stances. Pure data."""

from enum import StrEnum
from typing import Annotated

import msgspec

Natural = Annotated[int, msgspec.Meta(ge=0)]
Name = Annotated[str, msgspec.Meta(pattern=r"^worker-(0|[1-9]\d{0,8})-(0|[1-9]\d{0,8})\Z")]


class Ballot(msgspec.Struct, frozen=True, array_like=True):
    """A group to be.

    Attributes:
        generation: counts up with every group.
        members: by ascending rank.
        step: that all members go on from.
        digest: of what is alike on all of them there.
        donor: the member that has it.
        proposer: who hosts the store where they meet.

    """

    generation: Natural
    members: tuple[Name, ...]
    step: Natural
    digest: str
    donor: Name
    proposer: Name


class Stage(StrEnum):
    """What a worker is about."""

    STARTING = "starting"
    READY = "ready"  # to enter a group
    COPYING = "copying"  # another's state, to be as ready as that
    TRAINING = "training"  # in its group
    LEAVING = "leaving"  # for good


class Stance(msgspec.Struct, frozen=True, array_like=True):
    """What a worker says of itself; a later one replaces it.

    Attributes:
        started: when its process began, in ns: of two processes of one name the later counts.
        number: counts its stances upwards.
        stage: what it is about.
        promised: the newest generation it has accepted a ballot of.
        group: the newest it has entered.
        step: of a ready one, where it stands.
        digest: of a ready one, of what it has; empty if it has nothing to begin with.
        accepted: what it will enter.
        proposal: what it proposes.

    """

    started: Natural
    number: Natural
    stage: Stage = Stage.STARTING
    promised: Natural = 0
    group: Ballot | None = None
    step: Natural = 0
    digest: str = ""
    accepted: Ballot | None = None
    proposal: Ballot | None = None

    @property
    def generation(self) -> int:
        """Of the newest group it has entered; 0 before the first."""
        return 0 if self.group is None else self.group.generation

    @property
    def is_gathering(self) -> bool:
        """Whether it wants into a group."""
        return self.stage in {Stage.READY, Stage.COPYING}
