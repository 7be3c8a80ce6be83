"""The job's live processes with their addresses, as a source of membership reports them."""

from collections.abc import Callable
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
    # Where it runs, as far as the source knows.
    node: str = ""
    zone: str = ""
    # Whether it answers; one that does not may have died, or be a moment late.
    serving: bool = True
    # Whether it was told to go: what is under way with it ends, nothing new is begun.
    leaving: bool = False

    @property
    def name(self) -> str:
        """The member's name, such as `worker-3-0`; never used twice in a job."""
        return member_name(self.role, self.rank, self.incarnation)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return (self.host, self.port)

    @property
    def is_open(self) -> bool:
        """Whether anything new is to be begun with it."""
        return self.serving and not self.leaving


@dataclass(frozen=True, slots=True)
class Roster:
    """Everyone known to be there at one moment."""

    endpoints: tuple[Endpoint, ...] = ()

    def workers(self) -> dict[int, Endpoint]:
        """Return the workers to begin something with, by rank; the newest of each rank."""
        return self._open(Role.WORKER)

    def servers(self) -> dict[int, Endpoint]:
        """Return the servers to begin something with, by shard; the newest of each shard."""
        return self._open(Role.SERVER)

    def find(self, party: Party) -> Endpoint | None:
        """Return where a worker or a server is, even one that leaves; None if it is not there."""
        if isinstance(party, Shard):
            return self._newest(Role.SERVER).get(party.index)
        return self._newest(Role.WORKER).get(party)

    def _open(self, role: Role) -> dict[int, Endpoint]:
        return {rank: e for rank, e in self._newest(role).items() if e.is_open}

    def _newest(self, role: Role) -> dict[int, Endpoint]:
        found: dict[int, Endpoint] = {}
        for endpoint in self.endpoints:
            if endpoint.role is not role:
                continue
            known = found.get(endpoint.rank)
            if known is None or _precedence(known) < _precedence(endpoint):
                found[endpoint.rank] = endpoint
        return dict(sorted(found.items()))


def _precedence(endpoint: Endpoint) -> tuple[bool, int]:
    # A successor takes the place when it serves, not while it is still starting.
    return (endpoint.serving or endpoint.leaving, endpoint.incarnation)


OnRoster = Callable[[Roster], None]
"""Told, by the source's own thread, of every new roster."""


class RosterSource(Protocol):
    """Where membership comes from: a directory, EndpointSlices, DNS."""

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
