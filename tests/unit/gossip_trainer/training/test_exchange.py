import threading
from contextlib import closing

import pytest
import torch

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Fetch
from gossip_trainer.errors import ProgressError
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.training.exchange import Arrived, Exchange, Lost
from gossip_trainer.transport.errors import (
    HandshakeRefused,
    NotReady,
    PeerLost,
    ProtocolError,
    TransportError,
)
from gossip_trainer.transport.wire import SnapshotHeader

SECONDS = 10.0  # the longest any of these waits may take


class Puller:
    """Brings a vector full of the peer's rank once the test opens the gate."""

    def __init__(self):
        self.gate, self.asked, self.aborted = threading.Event(), threading.Event(), False
        self.error = None
        self.calls = []

    def pull(self, address, into, *, expect):
        self.calls.append((address, expect))
        self.asked.set()
        assert self.gate.wait(SECONDS)
        if self.aborted:
            raise PeerLost("aborted", "the exchange was given up")
        if self.error is not None:
            raise self.error
        into[:] = torch.full((6,), float(address[1])).numpy().tobytes()
        return SnapshotHeader(step=17, samples=3, finished=address[1] == 9)

    def abort(self):
        self.aborted = True
        self.gate.set()


def peer(rank):
    return Endpoint(Role.WORKER, rank, 0, "10.0.0.1", rank)


@pytest.fixture
def puller():
    return Puller()


@pytest.fixture
def exchange(puller):
    with closing(Exchange(puller, torch.zeros(6))) as exchange:
        yield exchange


def test_nothing_under_way_brings_nothing(exchange):
    assert not exchange.busy
    assert exchange.collect() is None
    assert exchange.collect(SECONDS) is None


def test_a_fetch_under_way_makes_nobody_wait(exchange, puller):
    exchange.begin(Fetch(2), peer(2))
    assert puller.asked.wait(SECONDS)
    assert exchange.collect() is None
    assert exchange.busy


def test_a_wait_for_a_fetch_ends_with_its_time(exchange):
    exchange.begin(Fetch(2), peer(2))
    assert exchange.collect(0.001) is None
    assert exchange.busy


def test_what_arrived_is_the_peers_vector_with_its_step(exchange, puller):
    puller.gate.set()
    exchange.begin(Fetch(2), peer(2))
    outcome = exchange.collect(SECONDS)
    assert isinstance(outcome, Arrived)
    assert (outcome.fetch, outcome.peer, outcome.finished) == (Fetch(2), "worker-2-0", False)
    assert outcome.message.step == 17
    assert torch.equal(outcome.message.vector, torch.full((6,), 2.0))
    assert puller.calls == [(("10.0.0.1", 2), "worker-2-0")]
    assert not exchange.busy
    assert exchange.collect() is None


def test_a_peer_that_has_finished_says_so(exchange, puller):
    puller.gate.set()
    exchange.begin(Fetch(9), peer(9))
    assert exchange.collect(SECONDS).finished


def test_one_fetch_at_a_time(exchange):
    exchange.begin(Fetch(2), peer(2))
    with pytest.raises(AssertionError):
        exchange.begin(Fetch(3), peer(3))


def test_one_fetch_after_the_other_through_one_buffer(exchange, puller):
    puller.gate.set()
    for rank in (2, 3, 4):
        exchange.begin(Fetch(rank), peer(rank))
        assert torch.equal(exchange.collect(SECONDS).message.vector, torch.full((6,), float(rank)))


@pytest.mark.parametrize(
    ("error", "suspect"),
    [
        (PeerLost("reset", "worker-2-0 hung up"), True),
        (TransportError("no"), True),
        (NotReady("worker-2-0 has not published a snapshot yet"), False),
    ],
)
def test_a_failed_fetch_is_lost_and_the_next_may_begin(exchange, puller, error, suspect):
    puller.error = error
    puller.gate.set()
    exchange.begin(Fetch(2), peer(2))
    assert exchange.collect(SECONDS) == Lost(Fetch(2), "worker-2-0", str(error), suspect)
    puller.error = None
    exchange.begin(Fetch(3), peer(3))
    assert isinstance(exchange.collect(SECONDS), Arrived)


def test_a_fetch_whose_counters_make_no_sense_is_lost_like_any_other(exchange, puller):
    puller.error = ProgressError("'worker-2-0' sent counters that make no sense")
    puller.gate.set()
    exchange.begin(Fetch(2), peer(2))
    assert isinstance(exchange.collect(0.5), Lost)


def test_close_aborts_the_fetch_under_way_and_ends_the_thread(puller):
    exchange = Exchange(puller, torch.zeros(6))
    exchange.begin(Fetch(2), peer(2))
    assert puller.asked.wait(SECONDS)
    exchange.close()
    assert puller.aborted
    assert not exchange._thread.is_alive()
    assert isinstance(exchange.collect(), Lost)


# Peers that share their memory


class Reader:
    """Copies a vector full of 0.5 at once, or fails as the test says."""

    def __init__(self):
        self.error, self.calls = None, []

    def pull(self, path, into, *, expect):
        self.calls.append((path, expect, threading.current_thread()))
        if self.error is not None:
            raise self.error
        into[:] = torch.full((6,), 0.5).numpy().tobytes()
        return SnapshotHeader(step=18, samples=3, finished=True)


def neighbour(rank):
    return Endpoint(Role.WORKER, rank, 0, "10.0.0.1", rank, memory=f"memory-{rank}")


@pytest.fixture
def reader():
    return Reader()


@pytest.fixture
def local(puller, reader):
    with closing(Exchange(puller, torch.zeros(6), reader)) as exchange:
        yield exchange


def test_shared_memory_is_read_where_the_fetch_begins_and_collected_like_any_other(
    local, puller, reader
):
    local.begin(Fetch(2), neighbour(2))
    assert reader.calls == [("memory-2", "worker-2-0", threading.current_thread())]
    assert local.busy
    outcome = local.collect()
    assert isinstance(outcome, Arrived)
    assert (outcome.fetch, outcome.peer, outcome.finished) == (Fetch(2), "worker-2-0", True)
    assert outcome.message.step == 18
    assert torch.equal(outcome.message.vector, torch.full((6,), 0.5))
    assert not local.busy
    assert not puller.calls


def test_a_wait_for_shared_memory_ends_at_once(local):
    local.begin(Fetch(2), neighbour(2))
    assert isinstance(local.collect(SECONDS), Arrived)


def test_a_peer_that_shares_nothing_is_asked_over_the_network(local, puller, reader):
    puller.gate.set()
    local.begin(Fetch(2), peer(2))
    assert local.collect(SECONDS).message.step == 17
    assert not reader.calls


def test_who_reads_no_shared_memory_asks_over_the_network(exchange, puller):
    puller.gate.set()
    exchange.begin(Fetch(2), neighbour(2))
    assert exchange.collect(SECONDS).message.step == 17


@pytest.mark.parametrize("reason", ["stalled", "unreachable"])
def test_a_peer_whose_memory_is_stale_or_gone_is_asked_over_the_network(
    local, puller, reader, reason
):
    reader.error = PeerLost(reason, "worker-2-0 published nothing for 3 s")
    local.begin(Fetch(2), neighbour(2))
    assert puller.asked.wait(SECONDS)
    assert local.collect() is None
    puller.gate.set()
    assert local.collect(SECONDS).message.step == 17


@pytest.mark.parametrize(
    ("error", "suspect"),
    [
        (HandshakeRefused("another model"), True),
        (ProtocolError("what worker-2-0 tells makes no sense"), True),
        (NotReady("worker-2-0 has not published a snapshot yet"), False),
    ],
)
def test_shared_memory_that_makes_no_sense_or_is_empty_is_a_lost_fetch(
    local, puller, reader, error, suspect
):
    reader.error = error
    local.begin(Fetch(2), neighbour(2))
    assert local.collect() == Lost(Fetch(2), "worker-2-0", str(error), suspect)
    assert not local.busy
    assert not puller.calls
