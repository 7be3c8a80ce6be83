import threading

import pytest

from gossip_api.names import Role
from gossip_trainer.membership import dns as module
from gossip_trainer.membership.dns import DnsRoster
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.transport.errors import PeerLost

OWN = Endpoint(Role.WORKER, 0, 0, "10.0.0.1", 29400)


class Network:
    """Who is behind which address; look-ups can fail."""

    def __init__(self, **members):
        self.members = {f"10.0.0.{host[1:]}": member for host, member in members.items()}
        self.asked = []
        self.looked_up = threading.Semaphore(0)
        self.failure = None

    def find(self, host, port):
        assert (host, port) == ("mnist-peers.team.svc", 29400)
        self.looked_up.release()
        if self.failure:
            raise self.failure
        return {OWN.host, *self.members}

    def who(self, address):
        self.asked.append(address[0])
        member = self.members[address[0]]
        if member is None:
            raise PeerLost("refused", "nobody listens")
        return member

    def wait(self):
        """Return when everything that is so by now has been seen."""
        for _ in range(self.num_waiting()):
            pass
        for _ in range(2):
            assert self.looked_up.acquire(timeout=10)

    def num_waiting(self):
        count = 0
        while self.looked_up.acquire(blocking=False):
            count += 1
        return count


@pytest.fixture
def watch():
    made = []

    def watch(network):
        source = DnsRoster(
            "mnist-peers.team.svc", own=OWN, who=network.who, find=network.find, every=0.005
        )
        made.append(source)
        network.wait()
        return source

    yield watch
    for source in made:
        source.close()


def names(source):
    return [endpoint.name for endpoint in source.roster.endpoints]


def test_every_address_is_asked_who_it_is_but_the_own_one(watch):
    network = Network(h2="worker-1-0", h3="server-0-2")
    assert names(watch(network)) == ["server-0-2", "worker-0-0", "worker-1-0"]
    assert OWN.host not in network.asked


def test_a_known_address_is_not_asked_at_every_look_up(watch):
    network = Network(h2="worker-1-0")
    watch(network)
    network.wait()
    assert network.asked == ["10.0.0.2"]


def test_an_address_that_changed_hands_is_found_out(watch, monkeypatch):
    monkeypatch.setattr(module, "ASK_AGAIN_SECONDS", 0.0)
    network = Network(h2="worker-1-0")
    source = watch(network)
    network.members["10.0.0.2"] = "worker-5-0"
    network.wait()
    assert names(source) == ["worker-0-0", "worker-5-0"]


def test_an_address_that_is_gone_is_forgotten(watch):
    network = Network(h2="worker-1-0")
    source = watch(network)
    network.members.clear()
    network.wait()
    assert names(source) == ["worker-0-0"]


def test_one_that_does_not_answer_is_asked_again_until_it_does(watch):
    network = Network(h2=None)
    source = watch(network)
    assert names(source) == ["worker-0-0"]
    network.members["10.0.0.2"] = "worker-1-0"
    network.wait()
    assert names(source) == ["worker-0-0", "worker-1-0"]


def test_while_names_cannot_be_looked_up_the_roster_stays(watch):
    network = Network(h2="worker-1-0")
    source = watch(network)
    network.failure = OSError("no name server answers")
    network.wait()
    assert names(source) == ["worker-0-0", "worker-1-0"]
