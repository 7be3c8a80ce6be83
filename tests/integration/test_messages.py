"""Messages over real sockets through a network that breaks, to processes that die or stop."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress

import pytest
import torch

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Rank, Send
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.training import doubts
from gossip_trainer.training.exchange import Arrived, Dispatch, Exchange, Lost
from gossip_trainer.transport.client import PeerClient
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.server import PeerServer

pytestmark = pytest.mark.heavy

SIZE = 200
NUM_NODES = 3
NUM_SENDS = 1200  # of each node
SECONDS = 30.0


class Silent:
    """A courier that says nothing."""

    def send(self):
        return b""

    def receive(self, member, blob):
        pass


class NoSnapshots:
    def pin(self):
        return None


def identity(rank, size=SIZE):
    return Identity("job", f"worker-{rank}-0", "layout", 4 * size)


def hang_up(*socks):
    for sock in socks:
        with suppress(OSError):  # it was before
            sock.shutdown(socket.SHUT_RDWR)


class ChaosProxy:
    """Forwards connections; delays what passes now and then, and cuts each at a random byte."""

    def __init__(self, target, seed, mean_bytes):
        self.num_cuts = 0
        self._target = target
        self._stream = random.Random(seed)
        self._mean_bytes = mean_bytes
        self._is_open = True
        self._socks = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                one, _ = self._listener.accept()
                other = socket.create_connection(self._target)
            except OSError:
                return
            for sock in (one, other):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socks += [one, other]
            for source, sink in ((one, other), (other, one)):
                left = self._draw()
                thread = threading.Thread(target=self._pump, args=(source, sink, left))
                self._threads.append(thread)
                thread.start()

    def _draw(self):
        return int(self._stream.expovariate(1 / self._mean_bytes)) if self._is_open else 1 << 40

    def _pump(self, source, sink, left):
        try:
            while data := source.recv(1 << 16):
                if self._stream.random() < 0.01:
                    time.sleep(0.002)
                sink.sendall(data[:left])
                left -= len(data[:left])
                if left == 0:
                    self.num_cuts += 1
                    break
        except OSError:
            pass  # the other direction was cut, or one of the ends
        hang_up(source, sink)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        hang_up(*self._socks)
        for thread in self._threads:
            thread.join(SECONDS)
        for sock in self._socks:
            sock.close()


class Node:
    """A worker of pairwise averaging in whole numbers: both ends move by the same difference."""

    def __init__(self, rank):
        self.rank = rank
        self.stream = random.Random(rank)
        self.x = torch.randint(-(10**6), 10**6, (SIZE,)).float()
        self.news = threading.Event()
        self.mailbox = Mailbox(4 * SIZE, capacity=4, on_news=self.news.set)
        listener = socket.create_server(("127.0.0.1", 0))
        self.server = PeerServer(
            listener, identity(rank), NoSnapshots(), Silent(), mailbox=self.mailbox
        )
        self.server.start()
        self.routes = {}
        self.client = PeerClient(identity(rank), Silent())
        self.exchange = Exchange(
            self.client,
            torch.zeros(SIZE),
            locate=self.routes.get,
            started=1,
            on_news=self.news.set,
        )
        self.sent = self.taken = self.arrived = self.lost = 0

    def run(self, everybody_is_done):
        while not everybody_is_done():
            self.news.wait(0.01)
            self.news.clear()
            self.take_in()
            if self.sent < NUM_SENDS and not self.exchange.busy:
                self.sent += 1
                to = Rank(self.stream.choice(list(self.routes)))
                effect = Send(to, self.x.clone(), asks=True)
                self.exchange.begin([Dispatch(effect, self.sent, 0, self.routes[to])])
                self.news.wait(0.05)

    def take_in(self):
        while (outcome := self.exchange.collect()) is not None:
            if isinstance(outcome, Arrived):
                self.arrived += 1
                self.x -= outcome.message.vector
            else:
                self.lost += 1
        while (delivery := self.mailbox.collect()) is not None:
            theirs = torch.frombuffer(delivery.memory, dtype=torch.float32)
            difference = ((theirs - self.x) / 2).floor()
            self.mailbox.release(delivery)
            self.x += difference
            self.taken += 1
            self.mailbox.answer(delivery.sender, delivery.ticket, memory_of(difference))

    @property
    def is_done(self):
        return self.sent == NUM_SENDS and self.arrived + self.lost == NUM_SENDS

    def close(self):
        self.exchange.close()
        self.client.close()
        self.server.close()


def test_pairwise_averaging_keeps_the_sum_whatever_the_network_breaks(monkeypatch):
    monkeypatch.setattr(doubts, "FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(doubts, "LONGEST_PAUSE_SECONDS", 0.1)
    torch.manual_seed(1)
    with ExitStack() as stack:
        nodes = [stack.enter_context(closing(Node(rank))) for rank in range(NUM_NODES)]
        proxies = []
        for node in nodes:
            for other in nodes:
                if other is node:
                    continue
                proxy = ChaosProxy(other.server.address, len(proxies), mean_bytes=12_000)
                proxies.append(stack.enter_context(closing(proxy)))
                node.routes[Rank(other.rank)] = Endpoint(
                    Role.WORKER, other.rank, 0, "127.0.0.1", proxy.port
                )
        before = sum(node.x for node in nodes)
        deadline = time.monotonic() + SECONDS

        def everybody_is_done():
            return all(node.is_done for node in nodes) or time.monotonic() > deadline

        threads = [threading.Thread(target=node.run, args=(everybody_is_done,)) for node in nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * SECONDS)
        assert all(node.is_done for node in nodes)
        cuts = sum(proxy.num_cuts for proxy in proxies)
        arrived = sum(node.arrived for node in nodes)
        print(f"{arrived} arrived, {sum(node.lost for node in nodes)} lost, {cuts} lines cut")
        assert arrived == sum(node.taken for node in nodes)
        assert torch.equal(sum(node.x for node in nodes), before)
        assert cuts > 100
        assert arrived > NUM_NODES * NUM_SENDS / 2


PEER = """
import os, signal, socket, sys, threading

from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.server import PeerServer


class Silent:
    def send(self):
        return b""

    def receive(self, member, blob):
        pass


class NoSnapshots:
    def pin(self):
        return None


news = threading.Semaphore(0)
mailbox = Mailbox(int(sys.argv[1]), 4, news.release)
listener = socket.create_server(("127.0.0.1", 0))
identity = Identity("job", "worker-0-0", "layout", int(sys.argv[1]))
PeerServer(listener, identity, NoSnapshots(), Silent(), mailbox=mailbox).start()
print(listener.getsockname()[1], flush=True)
while news.acquire():
    delivery = mailbox.collect()
    if delivery.scalars:
        os.kill(os.getpid(), int(delivery.scalars[0]))
    mailbox.answer(delivery.sender, delivery.ticket, delivery.memory)
"""


class Peer:
    """A process that answers every message with its own bytes, after the signal it is sent."""

    def __init__(self, size):
        command = [sys.executable, "-c", PEER, str(4 * size)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        port = int(self.process.stdout.readline())
        self.endpoint = Endpoint(Role.WORKER, 0, 0, "127.0.0.1", port)

    def close(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def peer():
    with closing(Peer(SIZE)) as peer:
        yield peer


@pytest.fixture
def places(peer):
    return {Rank(0): peer.endpoint}


@pytest.fixture
def exchange(places, monkeypatch):
    monkeypatch.setattr(doubts, "FIRST_PAUSE_SECONDS", 0.1)
    client = PeerClient(identity(1), Silent(), limits=Limits(window_seconds=0.5))
    news = threading.Event()
    with closing(client):
        exchange = Exchange(
            client, torch.zeros(SIZE), locate=places.get, started=1, on_news=news.set
        )
        with closing(exchange):
            yield exchange


def begin(exchange, peer, number, *scalars):
    effect = Send(Rank(0), torch.full((SIZE,), float(number)), scalars, asks=True)
    exchange.begin([Dispatch(effect, number, 0, peer.endpoint)])


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return result


def test_a_message_to_one_that_is_killed_over_it_is_lost_once_that_one_has_left(
    exchange, peer, places
):
    begin(exchange, peer, 1, signal.SIGKILL)
    wait_for(lambda: not exchange.busy)
    assert peer.process.wait(10) == -signal.SIGKILL
    time.sleep(0.3)
    assert exchange.collect() is None  # nobody may say that it was lost, nor that it was not
    del places[Rank(0)]
    outcome = wait_for(exchange.collect)
    assert isinstance(outcome, Lost)


def test_the_answer_of_one_that_was_stopped_comes_when_it_goes_on(exchange, peer):
    begin(exchange, peer, 1, signal.SIGSTOP)
    wait_for(lambda: not exchange.busy)
    os.kill(peer.process.pid, signal.SIGCONT)
    outcome = wait_for(exchange.collect)
    assert isinstance(outcome, Arrived)
    assert torch.equal(outcome.message.vector, torch.full((SIZE,), 1.0))
    begin(exchange, peer, 2)
    assert torch.equal(wait_for(exchange.collect).message.vector, torch.full((SIZE,), 2.0))


def test_a_message_to_one_that_was_dead_before_is_lost_at_once(exchange, peer):
    peer.process.kill()
    peer.process.wait(10)
    begin(exchange, peer, 1)
    outcome = wait_for(exchange.collect)
    assert isinstance(outcome, Lost)
    assert outcome.suspect
