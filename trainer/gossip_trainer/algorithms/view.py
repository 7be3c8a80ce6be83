"""Who is alive, as an algorithm sees it: ranks and incarnations with a version, never addresses."""

from dataclasses import dataclass

from gossip_trainer.algorithms.effects import Rank


@dataclass(frozen=True, slots=True)
class Member:
    """One live worker."""

    rank: Rank
    incarnation: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """The live workers, the own one among them, sorted by rank; of two of a rank the newer."""

    version: int
    members: tuple[Member, ...]

    @property
    def ranks(self) -> tuple[Rank, ...]:
        """The ranks of all members, ascending."""
        return tuple(member.rank for member in self.members)


def make_view(version: int, members: dict[int, int]) -> View:
    """Build a view from a mapping of rank to incarnation."""
    return View(version, tuple(Member(Rank(rank), members[rank]) for rank in sorted(members)))
