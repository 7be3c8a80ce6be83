from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from gossip_api.names import Role
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.process import join
from gossip_trainer.process.join import copy_a_peer
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.transport.errors import PeerLost
from gossip_trainer.transport.wire import SnapshotHeader

SOON = timedelta(seconds=0.01)


class Client:
    def __init__(self, lost=()):
        self.lost = lost

    def pull(self, address, into, *, expect):
        if expect in self.lost:
            raise PeerLost("reset", f"{expect} hung up")
        into[:] = torch.full((len(into) // 4,), float(address[1])).numpy().tobytes()
        return SnapshotHeader(step=17, samples=5)


def worker(rank, incarnation=0):
    return Endpoint(Role.WORKER, rank, incarnation, "10.0.0.1", rank)


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
    assert copy_a_peer(network(worker(1, 1), worker(3)), model, SOON) == ("worker-3-0", 17)
    assert torch.equal(model.module.bias, torch.full((2,), 3.0))


def test_a_peer_that_cannot_be_read_is_passed_over(model):
    net = network(worker(0), worker(3), lost={"worker-0-0"})
    assert copy_a_peer(net, model, SOON)[0] == "worker-3-0"


def test_with_no_peer_to_copy_from_it_fails_and_keeps_the_reason(model):
    before = model.vector.clone()
    with pytest.raises(MembershipError, match=r"worker-1-1 joins .*worker-0-0 hung up \(reset\)"):
        copy_a_peer(network(worker(0), lost={"worker-0-0"}), model, SOON)
    assert torch.equal(model.vector, before)


def test_alone_it_never_begins_from_scratch(model):
    with pytest.raises(MembershipError, match="no other worker is up"):
        copy_a_peer(network(worker(1, 1)), model, SOON)
