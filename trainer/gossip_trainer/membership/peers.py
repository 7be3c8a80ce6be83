"""One worker's view of its peers: the roster less those it has reason to leave out for a while.

A peer that an exchange was lost on is left out for a time that doubles with every loss in a row, so
a dead or stopped peer costs single exchanges and comes back by itself. A peer that has finished
serves on but is left out after a while, for its model no longer moves.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gossip_trainer.algorithms.effects import Party, Rank, Shard
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.membership.roster import Endpoint, Roster

FIRST_ABSENCE_SECONDS = 1.0
LONGEST_ABSENCE_SECONDS = 30.0
MAX_DOUBLINGS = 10
LINGER_SECONDS = 5.0  # how long a finished peer is still chosen
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class _Absence:
    losses: int
    since: float
    until: float


class Peers:
    """Keeps the view of the worker of rank `rank`; used by its training thread alone.

    Args:
        rank: the own rank, always a member of the view.
        incarnation: the own incarnation.
        roster: returns the newest roster; the same object until it changes.

    """

    def __init__(self, rank: int, incarnation: int, roster: Callable[[], Roster]) -> None:
        self._rank = Rank(rank)
        self._incarnation = incarnation
        self._roster = roster
        self._seen: Roster | None = None
        self._due = NEVER
        self._absences: dict[str, _Absence] = {}
        self._endpoints: dict[int, Endpoint] = {}
        self._servers: dict[int, Endpoint] = {}
        self.view = make_view(0, {rank: incarnation})

    def refresh(self, now: float) -> bool:
        """Bring the view up to date; tell whether its members changed. `now` is monotonic."""
        roster = self._roster()
        if roster is self._seen and now < self._due:
            return False
        self._seen = roster
        self._endpoints = roster.workers()
        self._servers = roster.servers()
        self._endpoints.pop(self._rank, None)
        names = {endpoint.name for endpoint in self._endpoints.values()}
        self._absences = {n: a for n, a in self._absences.items() if n in names}
        changes = [t for a in self._absences.values() for t in (a.since, a.until) if t > now]
        self._due = min(changes, default=NEVER)
        members = {
            rank: endpoint.incarnation
            for rank, endpoint in self._endpoints.items()
            if not self._is_absent(endpoint.name, now)
        }
        members[self._rank] = self._incarnation
        view = make_view(self.view.version + 1, members)
        if view.members == self.view.members:
            return False
        self.view = view
        return True

    def endpoint(self, party: Party) -> Endpoint | None:
        """Return where a peer or a server is, or None if it has left."""
        if isinstance(party, Shard):
            return self._servers.get(party.index)
        return self._endpoints.get(party)

    def lost(self, name: str, now: float) -> None:
        """Note that an exchange with the member `name` was lost."""
        known = self._absences.get(name)
        if known is not None and known.until == NEVER:
            return  # it has finished and will be left out for good
        losses = known.losses + 1 if known is not None else 1
        doublings = min(losses - 1, MAX_DOUBLINGS)
        seconds = min(FIRST_ABSENCE_SECONDS * 2**doublings, LONGEST_ABSENCE_SECONDS)
        self._absences[name] = _Absence(losses, now, now + seconds)
        self._due = now

    def answered(self, name: str) -> None:
        """Note that an exchange with the member `name` went well."""
        if name in self._absences and self._absences[name].until != NEVER:
            del self._absences[name]

    def finished(self, name: str, now: float) -> None:
        """Note that the member `name` has finished its work."""
        known = self._absences.get(name)
        if known is None or known.until != NEVER:
            self._absences[name] = _Absence(0, now + LINGER_SECONDS, NEVER)
            self._due = min(self._due, now + LINGER_SECONDS)

    def _is_absent(self, name: str, now: float) -> bool:
        absence = self._absences.get(name)
        return absence is not None and absence.since <= now < absence.until
