"""Whole messages over a stream; both sides of a connection read and write through here."""

from typing import Final

import msgspec

from gossip_trainer.transport.errors import ProtocolError
from gossip_trainer.transport.identity import PROTOCOL_VERSION
from gossip_trainer.transport.stream import Stream
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

    def send(self, kind: Kind, header: msgspec.Struct) -> None:
        """Send a message without payload."""
        self.stream.send([memoryview(self.encode(kind, header))])

    def encode(self, kind: Kind, header: msgspec.Struct, *, payload_bytes: int = 0) -> bytes:
        """Return the message's bytes up to its payload."""
        version = PROTOCOL_VERSION if self.version is None else self.version
        return encode(kind, header, payload_bytes=payload_bytes, version=version)

    def receive(self, seconds: float, max_header_bytes: int) -> tuple[Kind, memoryview]:
        """Wait at most `seconds` for a message without payload, after which the peer is silent.

        As a rule this is one system call.
        """
        got = self.stream.receive_some(self._scratch, seconds)
        if got < PREFIX_BYTES:
            self.stream.receive([self._scratch[got:PREFIX_BYTES]])
            got = PREFIX_BYTES
        prefix = self._check(read_prefix(self._scratch, max_header_bytes=max_header_bytes))
        end = PREFIX_BYTES + prefix.header_bytes
        if prefix.payload_bytes or got > end:
            raise ProtocolError(f"more follows a {prefix.kind.name} message than there may")
        if got < end:
            self._make_room(end)
            self.stream.receive([self._scratch[got:end]])
        return prefix.kind, self._scratch[PREFIX_BYTES:end]

    def receive_prefix(self) -> Prefix:
        """Receive the beginning of a message, which may have a payload."""
        self.stream.receive([self._scratch[:PREFIX_BYTES]])
        return self._check(read_prefix(self._scratch, max_header_bytes=MAX_HEADER_BYTES))

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
