"""Whole messages over a stream; both sides of a connection read and write through here."""

from typing import Final

import msgspec

from gossip_trainer.transport.errors import ProtocolError
from gossip_trainer.transport.identity import PROTOCOL_VERSION
from gossip_trainer.transport.stream import Parts, Stream
from gossip_trainer.transport.wire import (
    MAX_HEADER_BYTES,
    PREFIX_BYTES,
    Kind,
    Prefix,
    encode,
    read_prefix,
)

SCRATCH_BYTES: Final = 64 << 10


class Framing:
    """Reads and writes messages; what it returns is valid until the next call.

    Attributes:
        stream: the connection.
        version: the protocol version agreed on, which all messages must carry; None before.

    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.version: int | None = None
        self._scratch = memoryview(bytearray(SCRATCH_BYTES))
        self._ahead = self._scratch[:0]  # of a payload, received along with its header

    def send(self, kind: Kind, header: msgspec.Struct) -> None:
        """Send a message without payload."""
        self.stream.send([memoryview(self.encode(kind, header))])

    def encode(self, kind: Kind, header: msgspec.Struct, *, payload_bytes: int = 0) -> bytes:
        """Return the message's bytes up to its payload."""
        version = PROTOCOL_VERSION if self.version is None else self.version
        return encode(kind, header, payload_bytes=payload_bytes, version=version)

    def receive(self, seconds: float, max_header_bytes: int) -> tuple[Prefix, memoryview]:
        """Wait at most `seconds` for a message, after which the peer is silent.

        Returns its prefix and its header; a payload is still to be received. As a rule this is one
        system call, which may bring the payload's beginning along.
        """
        got = self.stream.receive_some(self._scratch, seconds)
        if got < PREFIX_BYTES:
            self.stream.receive([self._scratch[got:PREFIX_BYTES]])
            got = PREFIX_BYTES
        prefix = self._check(read_prefix(self._scratch, max_header_bytes=max_header_bytes))
        end = PREFIX_BYTES + prefix.header_bytes
        if got > end + prefix.payload_bytes:
            raise ProtocolError(f"more follows a {prefix.kind.name} message than there may")
        if got < end:
            self._make_room(end)
            self.stream.receive([self._scratch[got:end]])
        self._ahead = self._scratch[end : max(got, end)]
        return prefix, self._scratch[PREFIX_BYTES:end]

    def receive_payload(self, parts: Parts) -> None:
        """Fill `parts` with the next bytes of the payload after what `receive` returned."""
        left = list(parts)
        while self._ahead and left:
            part, ahead = left[0], self._ahead
            size = min(len(part), len(ahead))
            part[:size] = ahead[:size]
            self._ahead = ahead[size:]
            if size == len(part):
                left.pop(0)
            else:
                left[0] = part[size:]
        if left:
            self.stream.receive(left)

    def drain(self, num_bytes: int) -> None:
        """Receive a payload that nobody wants."""
        left = num_bytes - len(self._ahead)
        self._ahead = self._scratch[:0]
        while left > 0:
            part = self._scratch[:left]
            self.stream.receive([part])
            left -= len(part)

    def receive_prefix(self, max_header_bytes: int = MAX_HEADER_BYTES) -> Prefix:
        """Receive the beginning of a message that is on its way, and no more."""
        self.stream.receive([self._scratch[:PREFIX_BYTES]])
        return self._check(read_prefix(self._scratch, max_header_bytes=max_header_bytes))

    def receive_header(self, prefix: Prefix, *payload: memoryview) -> memoryview:
        """Receive the header after `prefix`, and in the same breath the beginning of a payload."""
        self._make_room(prefix.header_bytes)
        header = self._scratch[: prefix.header_bytes]
        self.stream.receive([header, *payload])
        return header

    def _check(self, prefix: Prefix) -> Prefix:
        if self.version is not None and prefix.version != self.version:
            raise ProtocolError(
                f"a {prefix.kind.name} message of protocol version {prefix.version} came, "
                f"version {self.version} was agreed on"
            )
        return prefix

    def _make_room(self, num_bytes: int) -> None:
        """Grow to `num_bytes`, which was checked against MAX_HEADER_BYTES, keeping the content."""
        if num_bytes > len(self._scratch):
            room = memoryview(bytearray(num_bytes))
            room[: len(self._scratch)] = self._scratch
            self._scratch = room
