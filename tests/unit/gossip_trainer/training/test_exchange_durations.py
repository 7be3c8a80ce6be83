"""How long exchanges take: from where they begin to what becomes of them, collected or not."""

import threading
from contextlib import closing

import pytest
import torch

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Fetch, Rank, Send
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.training import doubts
from gossip_trainer.training.exchange import Dispatch, Exchange
from gossip_trainer.transport.errors import PeerLost, Unsettled
from gossip_trainer.transport.verdicts import Taken
from gossip_trainer.transport.wire import SnapshotHeader

SECONDS = 10.0
PEER = Endpoint(Role.WORKER, 1, 0, "10.0.0.1", 1)
SHARED = Endpoint(Role.WORKER, 1, 0, "10.0.0.1", 1, memory="/its/memory")


class Peer:
    """A client, a shared reader and a clock; every call takes as many seconds as it is told."""

    def __init__(self):
        self.now, self.takes, self.error = 100.0, 0.0, None

    def clock(self):
        return self.now

    def pull(self, _where, into, *, expect, excerpt=None, start=None):
        self._pass()
        return SnapshotHeader(step=17, samples=3)

    def send(self, address, header, payload, into, *, expect):
        self._pass()
        return Taken()

    def settle(self, address, message, into, *, expect):
        self.now += self.takes
        return Taken()

    def abort(self):
        """Nothing hangs here."""

    def _pass(self):
        self.now += self.takes
        if self.error is not None:
            raise self.error


@pytest.fixture
def peer():
    return Peer()


@pytest.fixture
def carry_out(peer, monkeypatch):
    """Return a function that carries something out and gives how long it says that it took."""
    monkeypatch.setattr(doubts, "FIRST_PAUSE_SECONDS", 0.01)
    durations, ended = [], threading.Event()

    def note(seconds):
        durations.append(seconds)
        ended.set()

    exchange = Exchange(
        peer,
        torch.zeros(6),
        locate=lambda _party: PEER,
        started=100,
        on_news=lambda: None,
        on_ended=note,
        shared=peer,
        clock=peer.clock,
    )

    def carry_out(effect, to=PEER):
        exchange.begin([Dispatch(effect, 1, 5, to)])
        assert ended.wait(SECONDS)
        peer.now += 60.0  # until the training thread collects it
        while exchange.collect() is None:
            pass
        (seconds,) = durations
        return seconds

    with closing(exchange):
        yield carry_out


def message():
    return Send(Rank(1), torch.zeros(2))


def test_a_fetch_lasts_until_the_model_is_here(carry_out, peer):
    peer.takes = 2.0
    assert carry_out(Fetch(Rank(1))) == 2.0


def test_so_does_one_from_shared_memory(carry_out, peer):
    peer.takes = 0.5
    assert carry_out(Fetch(Rank(1)), SHARED) == 0.5


def test_a_message_lasts_until_it_is_taken(carry_out, peer):
    peer.takes = 3.0
    assert carry_out(message()) == 3.0


def test_one_that_is_lost_lasts_until_that_is_known(carry_out, peer):
    peer.takes, peer.error = 4.0, PeerLost("reset", "the connection was cut")
    assert carry_out(message()) == 4.0


def test_one_that_was_put_aside_lasts_until_it_is_settled(carry_out, peer):
    peer.takes, peer.error = 5.0, Unsettled(PeerLost("stalled", "no progress in time"))
    assert carry_out(message()) == 10.0
