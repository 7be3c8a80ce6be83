import pytest
import torch

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Fetch
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.simulation.clock import Clock
from gossip_trainer.simulation.exchange import VirtualExchange
from gossip_trainer.simulation.network import Network
from gossip_trainer.simulation.replica import SharedModule, Snapshots
from gossip_trainer.training.exchange import Arrived, Lost

PEER = Endpoint(Role.WORKER, 1, 0, "", 0)
FETCH = Fetch(1)


class Scene:
    """One worker that fetches from a peer; 64 bytes take 1 s, a latency is 0.25 s."""

    def __init__(self):
        self.clock = Clock()
        module = torch.nn.Linear(1, 1)
        self.snapshots = Snapshots(SharedModule(module))
        self.network = Network(self.clock, bandwidth=64.0, latency=0.25)
        self.peer_snapshot = None
        self.exchange = VirtualExchange(
            "worker-0-0", self.clock, self.network, self.snapshots, lambda _: self.peer_snapshot
        )

    def publish(self, value):
        x = Iterate(torch.full_like(self.snapshots._like, value))
        self.peer_snapshot = self.snapshots.publish(x, int(value), old=self.peer_snapshot)

    def fetch(self):
        """Begin and run to the end; return when that was, and the outcome."""
        ended = self.exchange.begin(FETCH, PEER)
        moments = []
        ended.wake(lambda: moments.append(self.clock.now))
        self.clock.run_while(lambda: bool(self.clock._heap))
        return moments, self.exchange.collect()


@pytest.fixture
def scene():
    scene = Scene()
    scene.publish(1.0)
    return scene


def test_a_fetch_takes_two_latencies_and_the_transfer(scene):
    seconds = 0.5 + scene.peer_snapshot.vector.nbytes / 64.0
    moments, outcome = scene.fetch()
    assert moments == [seconds]
    assert isinstance(outcome, Arrived)
    assert not scene.exchange.busy


def test_what_arrives_is_what_was_newest_when_the_request_came_to_the_peer(scene):
    scene.clock.after(0.2, lambda: scene.publish(2.0))
    scene.clock.after(0.3, lambda: scene.publish(3.0))
    _, outcome = scene.fetch()
    assert outcome.message.step == 2
    assert torch.all(outcome.message.vector == 2.0)


def test_the_exchange_is_busy_until_the_outcome_is_collected(scene):
    scene.exchange.begin(FETCH, PEER)
    assert scene.exchange.collect() is None
    scene.clock.run_while(lambda: bool(scene.clock._heap))
    assert scene.exchange.busy
    assert scene.exchange.collect() is not None
    assert not scene.exchange.busy


def test_a_peer_that_is_gone_costs_the_fetch_two_latencies_and_is_suspected(scene):
    scene.peer_snapshot = None
    moments, outcome = scene.fetch()
    assert moments == [0.5]
    assert outcome == Lost(FETCH, "worker-1-0", "worker-1-0 is gone", suspect=True)


def test_a_peer_lost_in_mid_transfer_costs_the_fetch(scene):
    scene.clock.after(0.5, lambda: scene.network.drop("worker-1-0"))
    moments, outcome = scene.fetch()
    assert moments == [0.75]
    assert isinstance(outcome, Lost)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 100.0])
def test_a_reader_that_is_gone_holds_no_snapshot(scene, seconds):
    def vanish():
        scene.exchange.close()
        scene.network.drop("worker-0-0")

    scene.clock.after(seconds, vanish)
    scene.exchange.begin(FETCH, PEER)
    scene.clock.run_while(lambda: bool(scene.clock._heap))
    assert scene.peer_snapshot.readers == 1
