"""Payloads over a framing: cut into chunks, each checked while it is in the cache.

Within TLS, whose records are authenticated, there are no digests.
"""

from collections.abc import Callable

from gossip_trainer.transport.chunks import CHUNK_BYTES, DIGEST_BYTES, cut, digest, framed_bytes
from gossip_trainer.transport.errors import ChecksumMismatch
from gossip_trainer.transport.framing import Framing
from gossip_trainer.transport.stream import Parts


def payload_bytes(framing: Framing, num_bytes: int) -> int:
    """Return how many bytes a payload of `num_bytes` takes on the wire."""
    return framed_bytes(num_bytes, digests=not framing.stream.encrypted)


def digest_anew(_index: int, chunk: memoryview) -> bytes:
    """Return a chunk's digest, which nobody keeps."""
    return digest(chunk)


def send_payload(
    framing: Framing,
    head: bytes,
    memory: memoryview,
    digest_of: Callable[[int, memoryview], bytes] = digest_anew,
) -> None:
    """Send a message: its bytes up to the payload, and `memory`, without a copy."""
    plain = not framing.stream.encrypted
    before = [memoryview(head)]
    for index, chunk in enumerate(cut(memory)):
        after = [memoryview(digest_of(index, chunk))] if plain else []
        framing.stream.send([*before, chunk, *after])
        before = []
    if before:
        framing.stream.send(before)


class Intake:
    """Receives one payload.

    Args:
        framing: where it comes from.
        into: where it goes; undefined after an error.

    Attributes:
        first: what to fill first, perhaps together with the message's header.

    """

    def __init__(self, framing: Framing, into: memoryview) -> None:
        self._framing = framing
        self._into = into
        self._digest = memoryview(bytearray(0 if framing.stream.encrypted else DIGEST_BYTES))
        first = into[:CHUNK_BYTES]
        self.first: Parts = self._parts(first) if first else ()

    def finish(self, what: str) -> None:
        """Fill the rest, `first` being filled; raise ChecksumMismatch naming `what`."""
        for index, chunk in enumerate(cut(self._into)):
            if index:
                self._framing.receive_payload(self._parts(chunk))
            if self._digest and digest(chunk) != self._digest:
                raise ChecksumMismatch(f"chunk {index} of {what} arrived damaged")

    def _parts(self, chunk: memoryview) -> Parts:
        return (chunk, self._digest) if self._digest else (chunk,)
