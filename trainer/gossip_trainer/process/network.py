"""A process's place among the others: its server, its client, its roster and its counters."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gossip_api.environment import ProcessEnvironment
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.directory import DirectoryRoster
from gossip_trainer.membership.roster import Endpoint, Roster, RosterSource
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.transport.client import PeerClient
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.security import load_credentials
from gossip_trainer.transport.server import PeerServer
from gossip_trainer.transport.snapshots import SnapshotSource

DIRECTORY = "directory:"
POLL_SECONDS = 0.05
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

    def close(self) -> None:
        """Leave: nobody finds this process any more, and nothing is served."""
        self.source.withdraw(self.endpoint)
        self.source.close()
        self.client.close()
        self.server.close(CLOSE_SECONDS)


def open_network(
    environment: ProcessEnvironment,
    identity: Identity,
    snapshots: SnapshotSource,
    *,
    progress: JobProgress | None = None,
    mailbox: Mailbox | None = None,
    store_port: int = 0,
    memory: str = "",
) -> Network:
    """Serve snapshots at the environment's address and make that known to the others.

    `progress` is new by default; `mailbox` takes what others send, `memory` is the path of what the
    process shares, if anything.
    """
    progress = progress or JobProgress(time.monotonic)
    tls = load_credentials(environment.tls) if environment.tls is not None else None
    host, _, port = environment.listen.rpartition(":")
    listener = socket.create_server((host, int(port)), backlog=128)
    server = PeerServer(listener, identity, snapshots, progress, mailbox=mailbox, tls=tls)
    server.start()
    client = PeerClient(identity, progress, tls=tls)
    source = open_roster(environment.peers)
    endpoint = Endpoint(
        environment.role,
        environment.rank,
        environment.incarnation,
        host,
        server.address[1],
        store_port=store_port,
        memory=memory,
    )
    source.announce(endpoint)
    return Network(endpoint, server, client, source, progress)


def open_roster(peers: str) -> RosterSource:
    """Open the source of membership that the environment names."""
    if not peers.startswith(DIRECTORY):
        raise MembershipError(
            f"GOSSIP_PEERS: got {peers!r}; must be {DIRECTORY}PATH, the folder of a local run"
        )
    return DirectoryRoster(Path(peers.removeprefix(DIRECTORY)))


def wait_for(
    what: str, found: Callable[[], dict[int, Endpoint]], count: int, timeout: timedelta
) -> dict[int, Endpoint]:
    """Wait until `count` of `what` ("workers", "servers") are found and return all that are.

    Raises:
        MembershipError: fewer were there when the time was over.

    """
    deadline = time.monotonic() + timeout.total_seconds()
    while len(there := found()) < count:
        if time.monotonic() > deadline:
            raise MembershipError(
                f"{len(there)} of {count} {what} were up after {timeout}; "
                "spec.runPolicy.startDeadline sets how long to wait"
            )
        time.sleep(POLL_SECONDS)
    return there
