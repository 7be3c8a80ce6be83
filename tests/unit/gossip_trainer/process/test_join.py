from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from gossip_api.names import Role
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.process import join
from gossip_trainer.process.join import average_the_workers, copy_the_others, pull_centre
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.transport.errors import PeerLost
from gossip_trainer.transport.wire import SnapshotHeader

SOON = timedelta(seconds=0.01)


class Client:
    """The model of the member at port p is all p; its weight is p as well."""

    def __init__(self, lost=()):
        self.lost = lost

    def pull(self, address, into, *, expect):
        if expect in self.lost:
            raise PeerLost("reset", f"{expect} hung up")
        into[:] = torch.full((len(into) // 4,), float(address[1])).numpy().tobytes()
        return SnapshotHeader(step=17, samples=5, weight=float(address[1]))


def worker(rank, incarnation=0):
    return Endpoint(Role.WORKER, rank, incarnation, "10.0.0.1", rank)


def server(shard, incarnation=0):
    return Endpoint(Role.SERVER, shard, incarnation, "10.0.0.2", 100 + shard)


def copy(net, model, num_shards=0):
    return copy_the_others(net, model, num_shards=num_shards, timeout=SOON)


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch):
    monkeypatch.setattr(join, "RETRY_SECONDS", 0.001)


@pytest.fixture
def model():
    return FlatModel(nn.Linear(3, 2))


def network(*endpoints, lost=()):
    roster = Roster(endpoints)
    return SimpleNamespace(endpoint=worker(1, 1), client=Client(lost), roster=lambda: roster)


def test_a_late_worker_takes_a_live_peers_model_and_says_whose_and_of_which_step(model):
    assert copy(network(worker(1, 1), worker(3)), model) == ("worker-3-0", 17)
    assert torch.equal(model.module.bias, torch.full((2,), 3.0))


def test_a_peer_that_cannot_be_read_is_passed_over(model):
    net = network(worker(0), worker(3), lost={"worker-0-0"})
    assert copy(net, model)[0] == "worker-3-0"


def test_with_no_peer_to_copy_from_it_fails_and_keeps_the_reason(model):
    before = model.vector.clone()
    with pytest.raises(MembershipError, match=r"worker-1-1 joins .*worker-0-0 hung up \(reset\)"):
        copy(network(worker(0), lost={"worker-0-0"}), model)
    assert torch.equal(model.vector, before)


def test_alone_it_never_begins_from_scratch(model):
    with pytest.raises(MembershipError, match="no other worker is up"):
        copy(network(worker(1, 1)), model)


def test_where_nobody_has_trained_and_nobody_is_there_it_keeps_the_seeds_model(model):
    before = model.vector.clone()
    net = network(worker(1, 1))
    found = copy_the_others(net, model, num_shards=0, timeout=SOON, else_seed=True)
    assert found == ("seed", 0)
    assert torch.equal(model.vector, before)


def test_a_peer_that_is_there_is_copied_even_where_nobody_has_trained(model):
    net = network(worker(1, 1), worker(3))
    found = copy_the_others(net, model, num_shards=0, timeout=SOON, else_seed=True)
    assert found == ("worker-3-0", 17)
    net = network(worker(1, 1), worker(3), lost={"worker-3-0"})
    with pytest.raises(MembershipError):
        copy_the_others(net, model, num_shards=0, timeout=SOON, else_seed=True)


def test_with_no_peer_left_it_takes_the_centre_that_all_servers_hold(model):
    net = network(server(0), server(1), worker(0), lost={"worker-0-0"})
    assert copy(net, model, num_shards=2) == ("centre", 0)
    half = model.vector.numel() // 2
    assert model.vector[:half].unique().tolist() == [100.0]
    assert model.vector[half:].unique().tolist() == [101.0]


def test_a_peers_model_is_preferred_to_the_centre(model):
    net = network(worker(3), server(0))
    assert copy(net, model, num_shards=1) == ("worker-3-0", 17)


def test_half_a_centre_is_no_model(model):
    with pytest.raises(MembershipError):
        copy(network(server(0)), model, num_shards=2)


def test_servers_that_cannot_be_read_are_named(model):
    into = torch.zeros_like(model.vector)
    assert pull_centre(network(server(0), server(1)), into, 2) == ()
    assert pull_centre(network(server(1, 4)), into, 2) == ("server-0-0",)
    lost = network(server(0), server(1, 4), lost={"server-1-4"})
    assert pull_centre(lost, into, 2) == ("server-1-4",)


def test_a_server_of_an_empty_part_is_not_read_but_must_be_there():
    into = torch.zeros(16)
    net = network(server(0), server(1), lost={"server-0-0"})
    assert pull_centre(net, into, 2) == ()
    assert torch.equal(into, torch.full((16,), 101.0))
    assert pull_centre(network(server(1)), into, 2) == ("server-0-0",)


def test_a_server_that_takes_a_lost_ones_place_begins_with_the_workers_weighted_mean():
    net = network(worker(1), worker(3), worker(5), lost={"worker-5-0"})
    initial = average_the_workers(net, 16, torch.float32, SOON)
    assert torch.equal(initial, torch.full((16,), (1 * 1.0 + 3 * 3.0) / (1 + 3)))


def test_without_any_worker_it_does_not_begin_from_scratch():
    with pytest.raises(MembershipError, match="does not begin from scratch"):
        average_the_workers(network(), 16, torch.float32, SOON)


def test_where_nobody_has_trained_and_nobody_is_there_a_server_has_no_mean():
    def average(*endpoints, lost=()):
        net = network(*endpoints, lost=lost)
        return average_the_workers(net, 16, torch.float32, SOON, else_none=True)

    assert average() is None
    assert torch.equal(average(worker(3)), torch.full((16,), 3.0))
    with pytest.raises(MembershipError):
        average(worker(3), lost={"worker-3-0"})
