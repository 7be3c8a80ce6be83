"""The seam between the transport and whoever publishes snapshots and keeps counters.

The transport knows a snapshot as bytes with a header. It does not know tensors, steps or how
buffers rotate.
"""

from collections.abc import Callable
from typing import Protocol

from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.transport.chunks import ChunkDigests
from gossip_trainer.transport.wire import SnapshotHeader


class PinnedSnapshot(Protocol):
    """One published snapshot that stays as it is until released."""

    @property
    def header(self) -> SnapshotHeader:
        """What is said about the snapshot."""
        ...

    @property
    def memory(self) -> memoryview:
        """The flat tensor's bytes: contiguous, one-dimensional, format "B"; may be read-only."""
        ...

    @property
    def digests(self) -> ChunkDigests:
        """The snapshot's digests: one object per published snapshot, shared by all its pins."""
        ...

    def release(self) -> None:
        """Give the buffer back; called exactly once, from any thread."""
        ...


Excerpts = Callable[[memoryview, Excerpt], memoryview]
"""Returns an excerpt's bytes, given those of a snapshot; ValueError if it has no such part."""


class SnapshotSource(Protocol):
    """Hands out the newest published snapshot; called from the server's threads."""

    def pin(self) -> PinnedSnapshot | None:
        """Pin the newest snapshot, or return None if none was published yet."""
        ...


class Courier(Protocol):
    """Brings small facts (counters, stop record) along with every exchange, both ways.

    Called from the server's threads and the client's: it guards itself.
    """

    def send(self) -> bytes:
        """Return what the peer should hear; at most 4 MiB less the header's own fields."""
        ...

    def receive(self, member: str, blob: bytes) -> None:
        """Take what `member` said; raise a GossipTrainerError if it makes no sense."""
        ...
