"""Where the workers of a synchronous strategy meet before their first collective."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from gossip_api.environment import ProcessEnvironment
from gossip_api.strategy import AllReduceSettings, Strategy
from gossip_trainer.errors import CollectiveError
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.training.collective import (
    Collective,
    TCPStore,
    TorchCollective,
    host_store,
    open_store,
)

TIMEOUT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A worker's way into the collective; empty for strategies that have none."""

    backend: str | None = None
    store: TCPStore | None = None

    @classmethod
    def of(cls, strategy: Strategy, environment: ProcessEnvironment) -> "Meeting":
        """Host the store if this is rank 0 of a strategy that needs one."""
        if not strategy.uses_collective:
            return cls()
        settings = strategy.all_reduce or AllReduceSettings()
        backend = "gloo" if settings.backend == "auto" else settings.backend
        if environment.rank != 0:
            return cls(backend)
        host = environment.listen.rpartition(":")[0]
        return cls(backend, host_store(host, TIMEOUT))

    @property
    def store_port(self) -> int:
        """The port of the store hosted here; 0 if none is."""
        return 0 if self.store is None else self.store.port

    @contextmanager
    def join(self, rank: int, workers: Mapping[int, Endpoint]) -> Iterator[Collective | None]:
        """Meet the others; gives None for strategies that have no collective."""
        if self.backend is None:
            yield None
            return
        store = self.store or _open(workers)
        collective = TorchCollective(
            store,
            ranks=sorted(workers),
            rank=rank,
            backend=self.backend,
            timeout=TIMEOUT,
        )
        try:
            yield collective
        finally:
            collective.close()


def _open(workers: Mapping[int, Endpoint]) -> TCPStore:
    host = workers.get(0)
    if host is None or not host.store_port:
        raise CollectiveError("worker 0, which hosts the meeting of all workers, is not there")
    return open_store((host.host, host.store_port), TIMEOUT)
