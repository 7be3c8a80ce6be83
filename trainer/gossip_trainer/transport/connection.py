"""The client's end of one connection: made, introduced, and good for any number of exchanges."""

import socket
import time
from contextlib import suppress
from typing import NoReturn

from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.transport.errors import (
    Busy,
    HandshakeRefused,
    NotReady,
    Outdated,
    PeerLost,
    ProtocolError,
)
from gossip_trainer.transport.fencing import Fence
from gossip_trainer.transport.framing import Framing
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.payload import Intake, payload_bytes, send_payload
from gossip_trainer.transport.security import Credentials
from gossip_trainer.transport.snapshots import Courier
from gossip_trainer.transport.stream import Line, lost, open_stream
from gossip_trainer.transport.verdicts import Answered, Declined, Pending, Taken, Verdict
from gossip_trainer.transport.wire import (
    MAX_GREETING_BYTES,
    Acknowledged,
    Answering,
    Crowded,
    Declining,
    Hello,
    Keeping,
    Kind,
    MessageHeader,
    MessageId,
    Prefix,
    Refused,
    Reply,
    Request,
    Sending,
    Settling,
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

    def __init__(self, line: Line, framing: Framing, member: str) -> None:
        self.line = line
        self.member = member
        self._framing = framing

    def ask(self, kind: Kind, courier: Courier, excerpt: Excerpt | None = None) -> Prefix:
        """Send a request; return the beginning of the answer."""
        self._framing.send(kind, Request(gossip=courier.send(), excerpt=excerpt))
        return self._framing.receive_prefix()

    def take_status(self, prefix: Prefix, courier: Courier) -> SnapshotHeader:
        """Receive the rest of the answer to STATUS."""
        self._expect(prefix, Kind.STANDING, 0, courier)
        return self._hear(self._framing.receive_header(prefix), courier)

    def take_snapshot(self, prefix: Prefix, into: memoryview, courier: Courier) -> SnapshotHeader:
        """Receive the rest of the answer to PULL."""
        self._expect(prefix, Kind.SNAPSHOT, payload_bytes(self._framing, into.nbytes), courier)
        intake = Intake(self._framing, into)
        header = self._hear(self._framing.receive_header(prefix, *intake.first), courier)
        intake.finish(f"the snapshot of {self.member}, step {header.step},")
        return header

    def put(self, message: MessageHeader, payload: memoryview, courier: Courier) -> None:
        """Send a message; if this fails the peer does not have all of it."""
        header = Sending(message=message, gossip=courier.send())
        size = payload_bytes(self._framing, payload.nbytes)
        head = self._framing.encode(Kind.SEND, header, payload_bytes=size)
        send_payload(self._framing, head, payload)

    def ask_what_became(self, message: MessageId, courier: Courier) -> None:
        """Ask what became of an earlier message."""
        self._framing.send(Kind.SETTLE, Settling(id=message, gossip=courier.send()))

    def take_verdict(self, message: MessageId, into: memoryview, courier: Courier) -> Verdict:
        """Receive what became of a message; its answer, if there is one, goes to `into`."""
        prefix = self._framing.receive_prefix()
        if prefix.kind is Kind.ANSWER:
            return self._take_answer(prefix, message, into, courier)
        if prefix.payload_bytes or prefix.kind not in {Kind.TAKEN, Kind.PENDING, Kind.DECLINED}:
            raise self._surprise(prefix, "the verdict on a message")
        data = self._framing.receive_header(prefix)
        if prefix.kind is Kind.DECLINED:
            declining = decode(Declining, data)
            self._tell(courier, declining.gossip)
            return Declined(declining.reason)
        self._tell(courier, decode(Acknowledged, data).gossip)
        return Taken() if prefix.kind is Kind.TAKEN else Pending()

    def _take_answer(
        self, prefix: Prefix, message: MessageId, into: memoryview, courier: Courier
    ) -> Answered:
        if prefix.payload_bytes not in {0, payload_bytes(self._framing, into.nbytes)}:
            raise self._surprise(prefix, f"an answer of none or {into.nbytes} bytes")
        into = into if prefix.payload_bytes else into[:0]
        intake = Intake(self._framing, into)
        answering = decode(Answering, self._framing.receive_header(prefix, *intake.first))
        self._tell(courier, answering.gossip)
        intake.finish(f"the answer of {self.member}")
        try:
            self._framing.send(Kind.KEPT, Keeping(id=message))
        except PeerLost:
            self.line.cut()  # the answer is here all the same
        return Answered(answering.answer.step, answering.answer.scalars, into.nbytes)

    def _hear(self, data: memoryview, courier: Courier) -> SnapshotHeader:
        reply = decode(Reply, data)
        self._tell(courier, reply.gossip)
        return reply.snapshot

    def _tell(self, courier: Courier, gossip: bytes) -> None:
        try:
            courier.receive(self.member, gossip)
        except GossipTrainerError as error:
            raise ProtocolError(f"what {self.member} tells makes no sense: {error}") from error

    def _expect(self, prefix: Prefix, kind: Kind, num_bytes: int, courier: Courier) -> None:
        if (prefix.kind, prefix.payload_bytes) == (kind, num_bytes):
            return
        if (prefix.kind, prefix.payload_bytes) == (Kind.NOT_READY, 0):
            unready = decode(Unready, self._framing.receive_header(prefix))
            self._tell(courier, unready.gossip)
            raise NotReady(f"{self.member} has not published a snapshot yet")
        raise self._surprise(prefix, f"{kind.name} with {num_bytes}")

    def _surprise(self, prefix: Prefix, due: str) -> ProtocolError:
        return ProtocolError(
            f"{self.member} announces {prefix.kind.name} with {prefix.payload_bytes} bytes of "
            f"payload where {due} is due"
        )


def open_connection(
    line: Line,
    address: Address,
    identity: Identity,
    limits: Limits,
    *,
    tls: Credentials | None,
    fence: Fence,
) -> Connection:
    """Connect and introduce oneself; raise HandshakeRefused or Busy if the peer declines.

    `fence` learns who there is, and of a successor if the peer tells of one.
    """
    peer = f"{address[0]}:{address[1]}"
    sock = _connect(line, address, limits)
    framing = Framing(open_stream(line, sock, peer, limits, tls=tls, server_side=False))
    with suppress(PeerLost):  # a server may answer and hang up first: its answer says more
        framing.send(Kind.HELLO, Hello.of(identity))
    try:
        prefix, data = framing.receive(limits.handshake_seconds, MAX_GREETING_BYTES)
    except PeerLost as error:
        if tls is not None and error.reason in {"reset", "closed"}:
            raise HandshakeRefused(
                f"{peer} hangs up after TLS's handshake, as it does if it does not accept the own "
                f"certificate: {error}"
            ) from error
        raise
    if prefix.kind is not Kind.WELCOME or prefix.payload_bytes:
        _decline(prefix.kind, data, peer, fence)
    welcome = decode(Welcome, data)
    if not identity.oldest <= welcome.version <= identity.newest:
        raise ProtocolError(
            f"{welcome.member} chose protocol version {welcome.version}, "
            f"{identity.oldest} to {identity.newest} were offered"
        )
    framing.version = welcome.version
    fence.learn(welcome.member)
    return Connection(line, framing, welcome.member)


def _decline(kind: Kind, data: memoryview, peer: str, fence: Fence) -> NoReturn:
    if kind is Kind.REFUSED:
        refused = decode(Refused, data)
        text = f"{peer} refuses: {refused.reason}"
        if refused.successor:
            fence.learn(refused.successor)
            raise Outdated(text)
        raise HandshakeRefused(text)
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
