"""How a late process gets its model: from the others, never silently from scratch."""

import time
from datetime import timedelta

import torch
from torch import Tensor

from gossip_api.names import Role, member_name
from gossip_trainer.algorithms.shards import shard_slices
from gossip_trainer.errors import MembershipError
from gossip_trainer.evaluation.mean import RunningMean
from gossip_trainer.process.network import Network
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.transport.errors import TransportError

RETRY_SECONDS = 0.5
CENTRE, SEED = "centre", "seed"


def copy_the_others(
    network: Network,
    model: FlatModel,
    *,
    num_shards: int,
    timeout: timedelta,
    else_seed: bool = False,
) -> tuple[str, int]:
    """Load the newest model of any live worker, or else the servers'; return whose and its step.

    The peer's counters come along with its model, and with them the count of this rank's earlier
    processes. With `else_seed` the model stays the seed's if no other worker is there at all.

    Raises:
        MembershipError: no peer gave its model in time.

    """
    received = torch.zeros(model.layout.size, dtype=model.layout.dtype)  # in host memory
    memory = memory_of(received)
    deadline = time.monotonic() + timeout.total_seconds()
    failure = "no other worker is up"
    while time.monotonic() < deadline:
        others = network.roster().workers()
        others.pop(network.endpoint.rank, None)
        for peer in others.values():
            try:
                header = network.client.pull(peer.address, memory, expect=peer.name)
            except TransportError as error:
                failure = f"{peer.name}: {error}"
                continue
            model.load_(received)
            return peer.name, header.step
        if num_shards and not pull_centre(network, received, num_shards):
            model.load_(received)
            return CENTRE, 0
        if else_seed and not others:
            return SEED, 0
        time.sleep(RETRY_SECONDS)
    raise MembershipError(
        f"{network.endpoint.name} joins a running job and found no peer to copy the model from "
        f"within {timeout} ({failure}); it does not begin from scratch"
    )


def pull_centre(network: Network, into: Tensor, num_shards: int) -> tuple[str, ...]:
    """Read every server's part into its place in `into`; return the names of those it could not."""
    servers = network.roster().servers()
    missed = []
    for shard, part in shard_slices(into.numel(), num_shards).items():
        server = servers.get(shard.index)
        name = member_name(Role.SERVER, shard.index, 0) if server is None else server.name
        try:
            if server is None:
                missed.append(name)
            elif part.start < part.stop:
                network.client.pull(server.address, memory_of(into[part]), expect=name)
        except TransportError:
            missed.append(name)
    return tuple(missed)


def average_the_workers(
    network: Network,
    size: int,
    dtype: torch.dtype,
    timeout: timedelta,
    *,
    else_none: bool = False,
) -> Tensor | None:
    """Return the mean of all workers' newest models, with which a server begins anew.

    With `else_none` it is None if no worker is there at all.

    Raises:
        MembershipError: none gave its model in time.

    """
    mean, received = RunningMean(size), torch.zeros(size, dtype=dtype)
    deadline = time.monotonic() + timeout.total_seconds()
    while not mean.count:
        if time.monotonic() > deadline:
            raise MembershipError(
                f"{network.endpoint.name} begins anew in a running job and found no worker to take "
                f"the model from within {timeout}; it does not begin from scratch"
            )
        workers = network.roster().workers()
        if else_none and not workers:
            return None
        for worker in workers.values():
            try:
                header = network.client.pull(
                    worker.address, memory_of(received), expect=worker.name
                )
            except TransportError:
                continue
            mean.add(received, header.weight)
        time.sleep(0.0 if mean.count else RETRY_SECONDS)
    mean.write_to_(received)
    return received
