"""A published snapshot, a courier that remembers, and workers that end with their test."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from gossip_trainer.transport.chunks import CHUNK_BYTES, ChunkDigests
from gossip_trainer.transport.client import PeerClient
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.server import PeerServer
from gossip_trainer.transport.wire import SnapshotHeader

NUM_BYTES = 2 * CHUNK_BYTES + 12_344
QUICK = Limits(
    connect_seconds=5, handshake_seconds=5, window_seconds=5, idle_seconds=5, max_connections=8
)


class Published:
    """One snapshot and the source that hands it out; counts its pins."""

    def __init__(self, num_bytes: int = NUM_BYTES) -> None:
        self.content = bytearray(os.urandom(num_bytes))
        self.memory = memoryview(self.content)
        self.header = SnapshotHeader(step=17, samples=544, loss=0.25, extra=b"opaque")
        self.digests = ChunkDigests(num_bytes)
        self.is_published = True
        self.num_pins = 0
        self.released = threading.Semaphore(0)

    def pin(self) -> "Published | None":
        if not self.is_published:
            return None
        self.num_pins += 1
        return self

    def release(self) -> None:
        self.released.release()


class Notebook:
    """A courier that says one thing and remembers what it heard."""

    def __init__(self, says: bytes = b"") -> None:
        self.says = says
        self.heard: list[tuple[str, bytes]] = []

    def send(self) -> bytes:
        return self.says

    def receive(self, member: str, blob: bytes) -> None:
        self.heard.append((member, blob))


@dataclass
class World:
    """Makes servers and clients, and closes them."""

    num_bytes: int
    closers: list[Callable[[], None]]

    def identity(self, member: str, **changes) -> Identity:
        return replace(Identity("job-1", member, "layout-1", self.num_bytes), **changes)

    def serve(
        self,
        source,
        *,
        courier=None,
        member="worker-0-0",
        others=None,
        excerpts=None,
        mailbox=None,
        limits=QUICK,
        tls=None,
        fence=None,
        **changes,
    ) -> PeerServer:
        server = PeerServer(
            socket.create_server(("127.0.0.1", 0)),
            self.identity(member, **changes),
            source,
            courier or Notebook(),
            others=others,
            excerpts=excerpts,
            mailbox=mailbox,
            limits=limits,
            tls=tls,
            fence=fence,
        )
        server.start()
        self.closers.append(server.close)
        return server

    def client(
        self, *, courier=None, member="worker-1-0", limits=QUICK, tls=None, fence=None, **changes
    ) -> PeerClient:
        client = PeerClient(
            self.identity(member, **changes),
            courier or Notebook(),
            limits=limits,
            tls=tls,
            fence=fence,
        )
        self.closers.append(client.close)
        return client

    def connect(self, server: PeerServer) -> socket.socket:
        sock = socket.create_connection(server.address, timeout=10)
        self.closers.append(sock.close)
        return sock

    def listen(self) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0))
        self.closers.append(listener.close)
        return listener


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def into() -> memoryview:
    return memoryview(bytearray(NUM_BYTES))


@pytest.fixture
def world() -> Iterator[World]:
    made = World(NUM_BYTES, [])
    yield made
    for close in reversed(made.closers):
        close()


@pytest.fixture
def notebook() -> type[Notebook]:
    return Notebook


@pytest.fixture
def quick() -> Limits:
    return QUICK
