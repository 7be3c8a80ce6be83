"""Strangers that connect and dawdle neither pile up threads nor slow the members down."""

import socket
import threading
import time

import pytest

from gossip_trainer.transport.chunks import ChunkDigests
from gossip_trainer.transport.client import PeerClient
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.server import PeerServer
from gossip_trainer.transport.wire import Hello, Kind, SnapshotHeader, encode

pytestmark = pytest.mark.heavy

NUM_BYTES = 8 << 20
NUM_STRANGERS = 200
LIMITS = Limits(max_connections=32, handshake_seconds=5, window_seconds=5)
MEMBER = Identity("job", "worker-1-0", "layout", NUM_BYTES)


class Published:
    """A snapshot of zeros."""

    header = SnapshotHeader(step=1, samples=32)
    memory = memoryview(bytes(NUM_BYTES))
    digests = ChunkDigests(NUM_BYTES)

    def pin(self):
        return self

    def release(self):
        pass


class Silent:
    """A courier that says nothing."""

    def send(self):
        return b""

    def receive(self, member, blob):
        pass


@pytest.fixture
def server():
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    identity = Identity("job", "worker-0-0", "layout", NUM_BYTES)
    made = PeerServer(listener, identity, Published(), Silent(), limits=LIMITS)
    made.start()
    yield made
    made.close()


def fastest_pull(client, address):
    """The fastest of many: what the machine's other load leaves out."""
    into = memoryview(bytearray(NUM_BYTES))
    seconds = []
    for _ in range(40):
        began = time.perf_counter()
        client.pull(address, into)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def drip(address, done):
    """Say hello at one byte in 50 ms, and again whenever the server has had enough."""
    while not done.is_set():
        with socket.create_connection(address, timeout=10) as sock:
            for byte in encode(Kind.HELLO, Hello.of(MEMBER)):
                try:
                    sock.sendall(bytes([byte]))
                except (BrokenPipeError, ConnectionResetError):
                    break
                if done.wait(0.05):
                    return


def test_idle_and_dripping_strangers_cost_only_their_own_connections(server):
    client = PeerClient(MEMBER, Silent(), limits=LIMITS)
    alone = fastest_pull(client, server.address)
    done = threading.Event()
    dripper = threading.Thread(target=drip, args=(server.address, done))
    dripper.start()
    strangers = [socket.create_connection(server.address, timeout=10) for _ in range(NUM_STRANGERS)]
    try:
        crowded = fastest_pull(client, server.address)
        serving = [one for one in threading.enumerate() if one.name.startswith("serve ")]
        assert len(serving) <= LIMITS.max_connections + 2
        assert crowded < 2 * alone
    finally:
        done.set()
        dripper.join(10)
        client.close()
        for stranger in strangers:
            stranger.close()
