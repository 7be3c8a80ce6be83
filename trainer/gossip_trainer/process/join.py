"""How a late worker gets its model: from a live peer, never silently from scratch."""

import time
from datetime import timedelta

import torch

from gossip_trainer.errors import MembershipError
from gossip_trainer.process.network import Network
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.transport.errors import TransportError

RETRY_SECONDS = 0.5


def copy_a_peer(network: Network, model: FlatModel, timeout: timedelta) -> tuple[str, int]:
    """Load the newest model of any live worker; return whose it is and of which step.

    The peer's counters come along with its model, and with them the count of this rank's earlier
    processes.

    Raises:
        MembershipError: no peer gave its model in time.

    """
    received = torch.zeros_like(model.vector)
    memory = memory_of(received)
    deadline = time.monotonic() + timeout.total_seconds()
    failure = "no other worker is up"
    while time.monotonic() < deadline:
        for rank, peer in network.roster().workers().items():
            if rank == network.endpoint.rank:
                continue
            try:
                header = network.client.pull(peer.address, memory, expect=peer.name)
            except TransportError as error:
                failure = f"{peer.name}: {error}"
                continue
            model.load_(received)
            return peer.name, header.step
        time.sleep(RETRY_SECONDS)
    raise MembershipError(
        f"{network.endpoint.name} joins a running job and found no peer to copy the model from "
        f"within {timeout} ({failure}); it does not begin from scratch"
    )
