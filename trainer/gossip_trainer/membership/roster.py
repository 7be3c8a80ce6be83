"""The job's live processes with their addresses, as a source of membership reports them."""

from dataclasses import dataclass
from typing import Protocol

from gossip_api.names import Role, member_name
from gossip_trainer.algorithms.effects import Party, Shard


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One live process of the job and where it serves."""

    role: Role
    rank: int
    incarnation: int
    host: str
    port: int
    # Where this process hosts the store that collectives meet at; 0 if it hosts none.
    store_port: int = 0
    # Where peers on the same machine find the memory it shares; empty if it shares none.
    memory: str = ""

    @property
    def name(self) -> str:
        """The member's name, such as `worker-3-0`; never used twice in a job."""
        return member_name(self.role, self.rank, self.incarnation)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return (self.host, self.port)


@dataclass(frozen=True, slots=True)
class Roster:
    """Everyone known to be there at one moment."""

    endpoints: tuple[Endpoint, ...] = ()

    def workers(self) -> dict[int, Endpoint]:
        """Return the workers by rank; of two of one rank the highest incarnation."""
        return self._newest(Role.WORKER)

    def servers(self) -> dict[int, Endpoint]:
        """Return the servers by shard; of two of one shard the highest incarnation."""
        return self._newest(Role.SERVER)

    def find(self, party: Party) -> Endpoint | None:
        """Return where a worker or a server is, or None if it is not there."""
        if isinstance(party, Shard):
            return self.servers().get(party.index)
        return self.workers().get(party)

    def _newest(self, role: Role) -> dict[int, Endpoint]:
        found: dict[int, Endpoint] = {}
        for endpoint in self.endpoints:
            if endpoint.role is not role:
                continue
            known = found.get(endpoint.rank)
            if known is None or known.incarnation < endpoint.incarnation:
                found[endpoint.rank] = endpoint
        return dict(sorted(found.items()))


class RosterSource(Protocol):
    """Where membership comes from: a directory, a static list, EndpointSlices."""

    @property
    def roster(self) -> Roster:
        """The newest roster; the same object until something changes."""
        ...

    def announce(self, endpoint: Endpoint) -> None:
        """Make the own endpoint known, where the source does not do that by itself."""
        ...

    def withdraw(self, endpoint: Endpoint) -> None:
        """Take the own endpoint back."""
        ...

    def close(self) -> None:
        """Stop watching."""
        ...
