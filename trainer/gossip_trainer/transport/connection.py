"""The client's end of one connection: made, introduced, and good for any number of pulls."""

import socket
import time
from contextlib import suppress
from typing import NoReturn

from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.transport.chunks import CHUNK_BYTES, DIGEST_BYTES, cut, digest, framed_bytes
from gossip_trainer.transport.errors import (
    Busy,
    ChecksumMismatch,
    HandshakeRefused,
    NotReady,
    PeerLost,
    ProtocolError,
)
from gossip_trainer.transport.framing import Framing
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.security import Credentials
from gossip_trainer.transport.snapshots import Courier
from gossip_trainer.transport.stream import Line, lost, open_stream
from gossip_trainer.transport.wire import (
    MAX_GREETING_BYTES,
    Crowded,
    Hello,
    Kind,
    Prefix,
    Refused,
    Reply,
    Request,
    SnapshotHeader,
    Unready,
    Welcome,
    decode,
)

Address = tuple[str, int]
"""Host and port."""


class Connection:
    """One conversation with one member.

    Attributes:
        line: cuts and closes it.
        member: who is at the other end.

    """

    def __init__(self, line: Line, framing: Framing, member: str, limits: Limits) -> None:
        self.line = line
        self.member = member
        self._framing = framing
        self._limits = limits
        self._digest = memoryview(bytearray(DIGEST_BYTES))

    def ask(self, kind: Kind, courier: Courier) -> Prefix:
        """Send a request; return the beginning of the answer."""
        self._framing.send(kind, Request(gossip=courier.send()))
        return self._framing.receive_prefix()

    def take_status(self, prefix: Prefix, courier: Courier) -> SnapshotHeader:
        """Receive the rest of the answer to STATUS."""
        self._expect(prefix, Kind.STANDING, 0, courier)
        return self._hear(self._framing.receive_header(prefix), courier)

    def take_snapshot(self, prefix: Prefix, into: memoryview, courier: Courier) -> SnapshotHeader:
        """Receive the rest of the answer to PULL, each chunk checked while it is in the cache."""
        plain = not self._framing.stream.encrypted
        self._expect(prefix, Kind.SNAPSHOT, framed_bytes(into.nbytes, digests=plain), courier)
        after = (self._digest,) if plain else ()
        first = into[:CHUNK_BYTES]
        header = self._hear(self._framing.receive_header(prefix, first, *after), courier)
        for index, chunk in enumerate(cut(into)):
            if index:
                self._framing.stream.receive((chunk, *after))
            if plain and digest(chunk) != self._digest:
                raise ChecksumMismatch(
                    f"chunk {index} of the snapshot of {self.member}, step {header.step}, "
                    "arrived damaged"
                )
        return header

    def _hear(self, data: memoryview, courier: Courier) -> SnapshotHeader:
        reply = decode(Reply, data)
        self._tell(courier, reply.gossip)
        return reply.snapshot

    def _tell(self, courier: Courier, gossip: bytes) -> None:
        try:
            courier.receive(self.member, gossip)
        except GossipTrainerError as error:
            raise ProtocolError(f"what {self.member} tells makes no sense: {error}") from error

    def _expect(self, prefix: Prefix, kind: Kind, payload_bytes: int, courier: Courier) -> None:
        if (prefix.kind, prefix.payload_bytes) == (kind, payload_bytes):
            return
        if (prefix.kind, prefix.payload_bytes) == (Kind.NOT_READY, 0):
            unready = decode(Unready, self._framing.receive_header(prefix))
            self._tell(courier, unready.gossip)
            raise NotReady(f"{self.member} has not published a snapshot yet")
        raise ProtocolError(
            f"{self.member} announces {prefix.kind.name} with {prefix.payload_bytes} bytes of "
            f"payload where {kind.name} with {payload_bytes} is due"
        )


def open_connection(
    line: Line,
    address: Address,
    identity: Identity,
    limits: Limits,
    *,
    tls: Credentials | None,
) -> Connection:
    """Connect and introduce oneself; raise HandshakeRefused or Busy if the peer declines."""
    peer = f"{address[0]}:{address[1]}"
    sock = _connect(line, address, limits)
    framing = Framing(open_stream(line, sock, peer, limits, tls=tls, server_side=False))
    with suppress(PeerLost):  # a server may answer and hang up first: its answer says more
        framing.send(Kind.HELLO, Hello.of(identity))
    try:
        kind, data = framing.receive(limits.handshake_seconds, MAX_GREETING_BYTES)
    except PeerLost as error:
        if tls is not None and error.reason in {"reset", "closed"}:
            raise HandshakeRefused(
                f"{peer} hangs up after TLS's handshake, as it does if it does not accept the own "
                f"certificate: {error}"
            ) from error
        raise
    if kind is not Kind.WELCOME:
        _decline(kind, data, peer)
    welcome = decode(Welcome, data)
    if not identity.oldest <= welcome.version <= identity.newest:
        raise ProtocolError(
            f"{welcome.member} chose protocol version {welcome.version}, "
            f"{identity.oldest} to {identity.newest} were offered"
        )
    framing.version = welcome.version
    return Connection(line, framing, welcome.member, limits)


def _decline(kind: Kind, data: memoryview, peer: str) -> NoReturn:
    if kind is Kind.REFUSED:
        raise HandshakeRefused(f"{peer} refuses: {decode(Refused, data).reason}")
    if kind is Kind.BUSY:
        raise Busy(f"{peer} serves {decode(Crowded, data).connections} others already")
    raise ProtocolError(f"{peer} answers HELLO with {kind.name}")


def _connect(line: Line, address: Address, limits: Limits) -> socket.socket:
    """Try all of the host's addresses in turn within one deadline."""
    host, port = address
    deadline = time.monotonic() + limits.connect_seconds
    failure = PeerLost("unreachable", f"{host} has no address")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise PeerLost("unreachable", f"{host} has no address: {error}") from error
    for family, kind, protocol, _, where in found:
        sock = socket.socket(family, kind, protocol)
        try:
            line.hold(sock)
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            sock.connect(where)
        except TimeoutError:
            failure = PeerLost("unreachable", f"{host}:{port} does not answer")
        except OSError as error:
            failure = lost(f"{host}:{port}", error)
        else:
            return sock
        line.close()
    raise failure
