"""A process's place among the others: its server, its client, its roster and its counters."""

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from gossip_api.environment import ProcessEnvironment
from gossip_api.names import Member, Role
from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.membership.roster import Endpoint, Roster, RosterSource
from gossip_trainer.membership.sources import open_roster
from gossip_trainer.process.task import Task
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.transport.client import PeerClient
from gossip_trainer.transport.fencing import Fence
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.security import load_credentials
from gossip_trainer.transport.server import PeerServer
from gossip_trainer.transport.snapshots import SnapshotSource
from gossip_trainer.transport.wire import Wanted

CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Network:
    """What a process needs to serve and to reach the others."""

    endpoint: Endpoint
    server: PeerServer
    client: PeerClient
    source: RosterSource
    progress: JobProgress

    def roster(self) -> Roster:
        """Return the newest roster."""
        return self.source.roster

    def num_peers(self) -> int:
        """Return how many other workers are there."""
        workers = self.roster().workers()
        return len(workers) - (workers.get(self.endpoint.rank) == self.endpoint)

    def close(self) -> None:
        """Leave: nobody finds this process any more, and nothing is served."""
        self.source.withdraw(self.endpoint)
        self.source.close()
        self.client.close()
        self.server.close(CLOSE_SECONDS)


def fenced_progress(fence: Fence) -> JobProgress:
    """Return new counters that tell `fence` of every worker process they hear of."""
    return JobProgress(
        time.monotonic,
        lambda rank, incarnation: fence.learn_of(Member(Role.WORKER, rank, incarnation)),
    )


def _excerpt(memory: memoryview, excerpt: Excerpt, *, itemsize: int) -> memoryview:
    return excerpt.of_bytes(memory, itemsize)


def open_network(
    environment: ProcessEnvironment,
    task: Task,
    snapshots: SnapshotSource,
    *,
    progress: JobProgress | None = None,
    others: Mapping[Wanted, SnapshotSource | None] | None = None,
    mailbox: Mailbox | None = None,
    store_port: int = 0,
    memory: str = "",
) -> Network:
    """Serve snapshots at the environment's address and make that known to the others.

    `progress` is new by default; `others` has what is served beside the model, `mailbox` takes what
    others send, `memory` is the path of what the process shares, if anything.
    """
    fence = task.fence
    progress = progress or fenced_progress(fence)
    tls = load_credentials(environment.tls) if environment.tls is not None else None
    host, _, port = environment.listen.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, int(port)), family=family, backlog=128)
    server = PeerServer(
        listener,
        task.identity,
        snapshots,
        progress,
        others=others,
        excerpts=partial(_excerpt, itemsize=task.model.layout.dtype.itemsize),
        mailbox=mailbox,
        tls=tls,
        fence=fence,
    )
    server.start()
    client = PeerClient(task.identity, progress, tls=tls, fence=fence)
    endpoint = Endpoint(
        environment.role,
        environment.rank,
        environment.incarnation,
        host,
        server.address[1],
        store_port=store_port,
        memory=memory,
    )

    def look_at(roster: Roster) -> None:
        for each in roster.endpoints:
            if each.serving:
                fence.learn_of(Member(each.role, each.rank, each.incarnation))

    try:
        source = open_roster(environment.peers, own=endpoint, who=client.who, on_roster=look_at)
    except BaseException:
        client.close()
        server.close()
        raise
    source.announce(endpoint)
    return Network(endpoint, server, client, source, progress)
