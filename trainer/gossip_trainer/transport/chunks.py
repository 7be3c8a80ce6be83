"""The payload's cut into chunks, and their digests.

A chunk is the unit of one system call and one digest. Its size is part of the protocol.
"""

from collections.abc import Iterator
from typing import Final

from xxhash import xxh3_64_digest

CHUNK_BYTES: Final = 1 << 20
DIGEST_BYTES: Final = 8


def num_chunks(num_bytes: int) -> int:
    """Return how many chunks a payload of `num_bytes` has; the last one may be shorter."""
    return -(-num_bytes // CHUNK_BYTES)


def framed_bytes(num_bytes: int, *, digests: bool) -> int:
    """Return how many bytes a payload of `num_bytes` takes on the wire."""
    return num_bytes + (DIGEST_BYTES * num_chunks(num_bytes) if digests else 0)


def cut(memory: memoryview) -> Iterator[memoryview]:
    """Yield the chunks of `memory` in order, without a copy."""
    for start in range(0, memory.nbytes, CHUNK_BYTES):
        yield memory[start : start + CHUNK_BYTES]


def digest(chunk: memoryview) -> bytes:
    """Return the chunk's XXH3 digest, 8 bytes in canonical order."""
    return xxh3_64_digest(chunk)


class ChunkDigests:
    """The digests of one published snapshot: made when first asked for, shared by all readers.

    Two readers that ask for the same chunk at the same moment may both compute it; they find the
    same value, so nothing is locked.
    """

    __slots__ = ("_known",)

    def __init__(self, num_bytes: int) -> None:
        self._known: list[bytes | None] = [None] * num_chunks(num_bytes)

    def of(self, index: int, chunk: memoryview) -> bytes:
        """Return the digest of the chunk number `index`, whose bytes are `chunk`."""
        known = self._known[index]
        if known is None:
            known = self._known[index] = digest(chunk)
        return known

    def reset(self) -> None:
        """Forget all digests: the buffer, which nobody reads now, gets new content."""
        self._known = [None] * len(self._known)
