"""A peer in another process that dies or stops in the middle of a transfer."""

import signal
import subprocess
import sys
import time

import pytest

from gossip_trainer.transport.client import PeerClient
from gossip_trainer.transport.errors import PeerLost
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits

pytestmark = pytest.mark.heavy

NUM_BYTES = 64 << 20

PEER = """
import os, signal, socket, sys

from gossip_trainer.transport.chunks import ChunkDigests
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.server import PeerServer
from gossip_trainer.transport.wire import SnapshotHeader

NUM_BYTES, NUMBER = int(sys.argv[1]), int(sys.argv[2])


class Fatal(ChunkDigests):
    def of(self, index, chunk):
        if index == 40:
            os.kill(os.getpid(), NUMBER)
        return super().of(index, chunk)


class Published:
    header = SnapshotHeader(step=1, samples=32)
    memory = memoryview(bytes(NUM_BYTES))
    digests = Fatal(NUM_BYTES)

    def pin(self):
        return self

    def release(self):
        pass


class Silent:
    def send(self):
        return b""

    def receive(self, member, blob):
        pass


listener = socket.create_server(("127.0.0.1", 0))
identity = Identity("job", "worker-0-0", "layout", NUM_BYTES)
PeerServer(listener, identity, Published(), Silent()).start()
print(listener.getsockname()[1], flush=True)
signal.pause()
"""


class Silent:
    """A courier that says nothing."""

    def send(self):
        return b""

    def receive(self, member, blob):
        pass


@pytest.fixture
def pull_from_a_peer_that_signals_itself():
    """Start a peer that sends itself a signal at chunk 40; return the loss and the seconds."""
    peers = []

    def pull(number, limits):
        command = [sys.executable, "-c", PEER, str(NUM_BYTES), str(int(number))]
        peer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        peers.append(peer)
        address = ("127.0.0.1", int(peer.stdout.readline()))
        identity = Identity("job", "worker-1-0", "layout", NUM_BYTES)
        client = PeerClient(identity, Silent(), limits=limits)
        began = time.monotonic()
        with pytest.raises(PeerLost) as loss:
            client.pull(address, memoryview(bytearray(NUM_BYTES)), expect="worker-0-0")
        client.close()
        return loss.value.reason, time.monotonic() - began

    yield pull
    for peer in peers:
        peer.kill()
        peer.wait(10)
        peer.stdout.close()


def test_a_killed_peer_is_lost_before_the_deadline(pull_from_a_peer_that_signals_itself):
    limits = Limits(window_seconds=30)
    reason, seconds = pull_from_a_peer_that_signals_itself(signal.SIGKILL, limits)
    assert reason in {"closed", "reset"}
    assert seconds < 15


def test_a_stopped_peer_is_stalled_at_the_deadline(pull_from_a_peer_that_signals_itself):
    limits = Limits(window_seconds=1)
    reason, seconds = pull_from_a_peer_that_signals_itself(signal.SIGSTOP, limits)
    assert reason == "stalled"
    assert 1 <= seconds < 5
