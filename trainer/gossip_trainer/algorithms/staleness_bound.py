"""How far a worker may be ahead of the slowest one: the clocks of stale synchronous parallel.

A worker's clock counts its gradients that were applied. What it asked for is given to it while

    own clock - slowest clock <= bound

where only those count that are alive and have not said farewell. The slowest is never held back, so
somebody always goes on and nobody waits for ever.

Reference: Ho et al., "More effective distributed ML via a stale synchronous parallel parameter
server", 2013.
"""

from gossip_trainer.algorithms.effects import Rank
from gossip_trainer.algorithms.view import Member, View


class StalenessBound:
    """Keeps the clocks of the workers that count.

    Args:
        bound: steps a worker may be ahead of the slowest; None for no bound.
        view: the live workers.

    """

    def __init__(self, bound: int | None, view: View) -> None:
        self._bound = bound
        self._members: frozenset[Member] = frozenset()
        self._done: set[Member] = set()
        self._clocks: dict[Rank, int] = {}
        self.look_around(view)

    def look_around(self, view: View) -> None:
        """Forget who is gone; who is new starts at the slowest's clock."""
        members = frozenset(view.members)
        for member in self._members - members:
            self._clocks.pop(member.rank, None)
        start = self._slowest()
        for member in members - self._members - self._done:
            self._clocks[member.rank] = start
        self._members = members

    def advance(self, rank: Rank) -> None:
        """Count a gradient of `rank`; one that is not in the view has no clock."""
        if rank in self._clocks:
            self._clocks[rank] += 1

    def say_farewell(self, rank: Rank) -> None:
        """Count `rank` no more, as long as it is not replaced."""
        self._done |= {member for member in self._members if member.rank == rank}
        self._clocks.pop(rank, None)

    def allows(self, rank: Rank) -> bool:
        """Whether `rank` may go on."""
        if self._bound is None or rank not in self._clocks:
            return True
        return self._clocks[rank] - self._slowest() <= self._bound

    def _slowest(self) -> int:
        return min(self._clocks.values(), default=0)
