"""The published snapshots of one worker: complete, of one step each, and never waited for.

A few buffers rotate. The training thread writes into one that nobody reads and then makes it the
newest; readers pin the newest and release it when they are done. If every other buffer is pinned
the step is not published: the trainer goes on, and the caller counts it. With three buffers that
takes two readers that hang on to two different steps.

The buffers are in host memory. Where the model is on a device of its own a snapshot is the newest
when its copy has arrived; a step that ends before that is not published either.

The buffers may lie in memory that other processes read as well. Those readers do not pin: they find
out afterwards that what they copied was overwritten meanwhile.
"""

import threading
from functools import partial

import torch
from torch import Tensor

from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.replica.device import DeviceLink, HostLink
from gossip_trainer.replica.layout import Layout
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.transport.chunks import ChunkDigests
from gossip_trainer.transport.shared import SharedMemory, Slot
from gossip_trainer.transport.wire import SnapshotHeader

NUM_BUFFERS = 3


class _Buffer:
    """One of the rotating buffers."""

    def __init__(self, layout: Layout, slot: Slot | None, link: DeviceLink) -> None:
        self.slot = slot
        self.vector: Tensor = (
            link.host_vector(layout.size, layout.dtype)
            if slot is None
            else torch.frombuffer(slot.vector, dtype=layout.dtype)
        )
        self.memory = memory_of(self.vector).toreadonly()
        self.digests = ChunkDigests(layout.num_bytes)
        self.header = SnapshotHeader(step=0, samples=0)
        self.readers = 0


class Pin:
    """A reader's hold on one snapshot, which stays as it is until the release."""

    __slots__ = ("_buffer", "_lock")

    def __init__(self, buffer: _Buffer, lock: threading.Lock) -> None:
        self._buffer = buffer
        self._lock = lock

    @property
    def header(self) -> SnapshotHeader:
        """What was published with it."""
        return self._buffer.header

    @property
    def memory(self) -> memoryview:
        """Its bytes, read-only."""
        return self._buffer.memory

    @property
    def vector(self) -> Tensor:
        """The same as a vector, shape (layout.size,); not to be written to."""
        return self._buffer.vector

    @property
    def digests(self) -> ChunkDigests:
        """Its digests, made when first asked for."""
        return self._buffer.digests

    def release(self) -> None:
        """Let go; once."""
        with self._lock:
            self._buffer.readers -= 1


class Snapshots:
    """Rotating buffers between one training thread and any number of readers.

    Args:
        layout: of the vectors.
        shared: memory that other processes read; if given, its buffers are those that rotate.
        num_buffers: how many rotate otherwise.
        link: between the model's device and host memory.

    """

    def __init__(
        self,
        layout: Layout,
        shared: SharedMemory | None = None,
        *,
        num_buffers: int = NUM_BUFFERS,
        link: DeviceLink | None = None,
    ) -> None:
        slots = [None] * num_buffers if shared is None else shared.slots
        self._link = link if link is not None else HostLink()
        self._buffers = [_Buffer(layout, slot, self._link) for slot in slots]
        self._newest: _Buffer | None = None
        self._lock = threading.Lock()

    def publish(self, x: Iterate, header: SnapshotHeader) -> bool:
        """Make x, as it is now, the newest snapshot.

        Returns False, without waiting, if no buffer is free or the copy before is under way.
        """
        if self._link.busy:
            return False
        with self._lock:
            free = next((b for b in self._buffers if not b.readers and b is not self._newest), None)
        if free is None:
            return False
        # Nobody can pin this buffer now: it is neither pinned nor the newest.
        if free.slot is not None:
            free.slot.begin()
        self._link.write_out(x, free.vector, partial(self._complete, free, header))
        return True

    def _complete(self, buffer: _Buffer, header: SnapshotHeader) -> None:
        if buffer.slot is not None:
            buffer.slot.commit(header)
        buffer.digests.reset()
        buffer.header = header
        with self._lock:
            self._newest = buffer

    def pin(self) -> Pin | None:
        """Hold the newest snapshot; None before the first was published."""
        with self._lock:
            if self._newest is None:
                return None
            self._newest.readers += 1
            return Pin(self._newest, self._lock)
