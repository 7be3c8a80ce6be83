"""What a link carries: bare pulls of the model's size over the transport, with nobody else about.

One side offers a snapshot, the other pulls it again and again. Every pull finds a snapshot that was
not pulled before, so its digests are made anew, as in a run.
"""

from __future__ import annotations

import multiprocessing
import socket
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.transport.chunks import ChunkDigests
from gossip_trainer.transport.client import PeerClient
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.server import PeerServer
from gossip_trainer.transport.wire import SnapshotHeader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from gossip_trainer.replica.layout import Layout

Address = tuple[str, int]

OFFERING = "worker-0-0"
PULLING = "worker-1-0"
WARM_UP_PULLS = 3  # the connection is made, and TCP's window opened
MIN_PULLS, MAX_PULLS = 5, 40
ENOUGH_SECONDS = 10.0
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Transfers:
    """What was timed.

    Attributes:
        num_bytes: of the snapshot.
        pulls: seconds of each pull.
        asks: seconds of each request that is answered by a header alone.

    """

    num_bytes: int
    pulls: tuple[float, ...]
    asks: tuple[float, ...]


class Offer:
    """A snapshot that is new to whoever pins it."""

    def __init__(self, num_bytes: int) -> None:
        self.header = SnapshotHeader(step=0, samples=0)
        self.memory = memoryview(bytes(num_bytes))
        self.digests = ChunkDigests(num_bytes)

    def pin(self) -> Offer:
        """Hold it; nobody changes it."""
        self.digests.reset()
        return self

    def release(self) -> None:
        """Nothing waits for it."""


def pull_repeatedly(address: Address, layout: Layout) -> Transfers:
    """Time pulls from `address`, and requests in between, until there are enough of them.

    Raises:
        TransportError: nobody offers the same model there, or the network failed.

    """
    into = memoryview(bytearray(layout.num_bytes))
    client = PeerClient(_identity(PULLING, layout), JobProgress(time.monotonic))
    pulls: list[float] = []
    asks: list[float] = []
    with closing(client):
        for _ in range(WARM_UP_PULLS):
            client.pull(address, into, expect=OFFERING)
        began = time.perf_counter()
        while len(pulls) < MAX_PULLS:
            if len(pulls) >= MIN_PULLS and time.perf_counter() - began > ENOUGH_SECONDS:
                break
            asks.append(_seconds(lambda: client.status(address, expect=OFFERING)))
            pulls.append(_seconds(lambda: client.pull(address, into, expect=OFFERING)))
    return Transfers(layout.num_bytes, tuple(pulls), tuple(asks))


def offer_at(address: Address, layout: Layout) -> PeerServer:
    """Offer a snapshot at `address` until the server is closed; port 0 lets the system choose."""
    listener = socket.create_server(address)
    server = PeerServer(
        listener,
        _identity(OFFERING, layout),
        Offer(layout.num_bytes),
        JobProgress(time.monotonic),
    )
    server.start()
    return server


@contextmanager
def offered_here(layout: Layout) -> Iterator[Address]:
    """Offer a snapshot in another process of this machine; gives its address."""
    # A forked child would share torch's threads with its parent, which none of them survives.
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_offer, args=(theirs, layout), daemon=True)
    process.start()
    theirs.close()
    try:
        if not pipe.poll(START_SECONDS):
            raise TimeoutError("the process that offers a snapshot did not start in time")
        yield pipe.recv()
    finally:
        pipe.close()
        process.join(START_SECONDS)


def _offer(pipe: Connection, layout: Layout) -> None:
    with closing(offer_at(("127.0.0.1", 0), layout)) as server:
        pipe.send(server.address)
        pipe.poll(None)  # until the other end is closed


def _identity(member: str, layout: Layout) -> Identity:
    return Identity("calibration", member, layout.digest(), layout.num_bytes)


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
