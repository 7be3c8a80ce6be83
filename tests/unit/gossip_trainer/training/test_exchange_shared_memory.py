"""Peers that share their memory are read where they lie."""

import threading
from contextlib import closing

import pytest
import torch
from exchange_driver import SECONDS, Driver, fetch, fill

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Fetch
from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.training.exchange import Arrived, Lost
from gossip_trainer.transport.errors import HandshakeRefused, NotReady, PeerLost, ProtocolError
from gossip_trainer.transport.wire import SnapshotHeader


class Reader:
    """Copies a vector full of 0.5 at once, or fails as the test says."""

    def __init__(self):
        self.error, self.calls, self.starts = None, [], []

    def pull(self, path, into, *, expect, start):
        self.calls.append((path, expect, threading.current_thread()))
        self.starts.append(start)
        if self.error is not None:
            raise self.error
        fill(into, 0.5)
        return SnapshotHeader(step=18, samples=3, finished=True)


def neighbour(rank):
    return Endpoint(Role.WORKER, rank, 0, "10.0.0.1", rank, memory=f"memory-{rank}")


@pytest.fixture
def reader():
    return Reader()


@pytest.fixture
def local(client, reader):
    with closing(Driver(client, reader)) as driver:
        yield driver


def test_shared_memory_is_read_where_the_fetch_begins_and_collected_like_any_other(
    local, client, reader
):
    local.begin(fetch(2, of=neighbour))
    assert reader.calls == [("memory-2", "worker-2-0", threading.current_thread())]
    assert local.busy
    outcome = local.exchange.collect()
    assert isinstance(outcome, Arrived)
    assert (outcome.effect, outcome.peer, outcome.finished) == (Fetch(2), "worker-2-0", True)
    assert outcome.message.step == 18
    assert torch.equal(outcome.message.vector, torch.full((6,), 0.5))
    assert not local.busy
    assert not client.calls


@pytest.mark.parametrize("seed", [None, 7])
def test_of_shared_memory_no_more_is_read_than_was_asked_for_and_rounded_by_the_reader(
    local, reader, seed
):
    local.begin(fetch(2, of=neighbour, excerpt=Excerpt(2, 5, seed)))
    read = local.exchange.collect().message.vector
    assert reader.starts == [2 * 4]
    assert torch.equal(read, Excerpt(0, 3, seed).of(torch.full((3,), 0.5)))


def test_a_peer_that_shares_nothing_is_asked_over_the_network(local, open_client, reader):
    local.begin(fetch(2))
    assert local.collect().message.step == 17
    assert not reader.calls


def test_who_reads_no_shared_memory_asks_over_the_network(exchange, open_client):
    exchange.begin(fetch(2, of=neighbour))
    assert exchange.collect().message.step == 17


@pytest.mark.parametrize("reason", ["stalled", "unreachable"])
def test_a_peer_whose_memory_is_stale_or_gone_is_asked_over_the_network(
    local, client, reader, reason
):
    reader.error = PeerLost(reason, "worker-2-0 published nothing for 3 s")
    local.begin(fetch(2, of=neighbour))
    assert client.asked.wait(SECONDS)
    assert local.exchange.collect() is None
    client.gate.set()
    assert local.collect().message.step == 17


@pytest.mark.parametrize(
    ("error", "suspect"),
    [
        (HandshakeRefused("another model"), True),
        (ProtocolError("what worker-2-0 tells makes no sense"), True),
        (NotReady("worker-2-0 has not published a snapshot yet"), False),
    ],
)
def test_shared_memory_that_makes_no_sense_or_is_empty_is_a_lost_fetch(
    local, client, reader, error, suspect
):
    reader.error = error
    local.begin(fetch(2, of=neighbour))
    assert local.exchange.collect() == Lost(Fetch(2), "worker-2-0", str(error), suspect)
    assert not local.busy
    assert not client.calls
