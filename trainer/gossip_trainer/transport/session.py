"""The server's end of one connection, run by a thread of its own."""

import time
from collections.abc import Mapping
from typing import Final

from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.transport.errors import HandshakeRefused, Outdated, ProtocolError
from gossip_trainer.transport.fencing import Fence
from gossip_trainer.transport.framing import Framing
from gossip_trainer.transport.identity import Identity, common_version, objection
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.payload import digest_anew, payload_bytes, send_payload
from gossip_trainer.transport.reception import Reception
from gossip_trainer.transport.snapshots import (
    Courier,
    Excerpts,
    PinnedSnapshot,
    SnapshotSource,
)
from gossip_trainer.transport.stream import Line, Stream
from gossip_trainer.transport.wire import (
    MAX_GREETING_BYTES,
    MAX_HEADER_BYTES,
    Hello,
    Kind,
    Prefix,
    Refused,
    Reply,
    Request,
    Unready,
    Wanted,
    Welcome,
    decode,
)

_REQUESTS: Final = frozenset({Kind.STATUS, *(wanted.value for wanted in Wanted)})


class Session:
    """One peer being served.

    Attributes:
        line: cuts and closes it, from any thread.
        member: who the peer says it is, once it has said so.
        silent_since: when it last was answered; None while it is being answered.
        is_last: set from outside: the answer under way is the last one.
        sent_bytes: of snapshots and excerpts sent to it in full.

    """

    def __init__(
        self,
        line: Line,
        identity: Identity,
        sources: Mapping[Wanted, SnapshotSource | None],
        courier: Courier,
        *,
        excerpts: Excerpts | None,
        mailbox: Mailbox | None,
        fence: Fence,
        limits: Limits,
    ) -> None:
        self.line = line
        self.member = "a stranger"
        self.silent_since: float | None = time.monotonic()
        self.is_last = False
        self.sent_bytes = 0
        self._identity = identity
        self._sources = sources
        self._excerpts = excerpts
        self._courier = courier
        self._mailbox = mailbox
        self._fence = fence
        self._limits = limits

    def run(self, stream: Stream) -> None:
        """Answer until the peer hangs up or fails; raise a TransportError in any case."""
        framing = Framing(stream)
        self._greet(framing)
        reception = Reception(framing, self.member, self._mailbox, self._courier, self._limits)
        while not self.is_last:
            prefix, data = framing.receive(self._limits.idle_seconds, MAX_HEADER_BYTES)
            self.silent_since = None
            if (successor := self._fence.successor(self.member)) is not None:
                # It hears why when it connects again.
                raise Outdated(f"{self.member} was replaced by {successor}")
            self._answer(framing, reception, prefix, data)
            self.silent_since = time.monotonic()

    def _greet(self, framing: Framing) -> None:
        prefix, data = framing.receive(self._limits.handshake_seconds, MAX_GREETING_BYTES)
        if prefix.kind is not Kind.HELLO or prefix.payload_bytes:
            raise ProtocolError(f"a connection begins with {prefix.kind.name} instead of HELLO")
        peer = decode(Hello, data).identity()
        self.member = peer.member
        version = common_version(self._identity, peer)
        reason = objection(self._identity, peer)
        if version is None or reason is not None:
            framing.send(Kind.REFUSED, Refused(reason=reason or ""))
            raise HandshakeRefused(f"{peer.member} was refused: {reason}")
        self._fence.learn(peer.member)
        if (successor := self._fence.successor(peer.member)) is not None:
            reason = f"{peer.member} was replaced by {successor}"
            framing.send(Kind.REFUSED, Refused(reason=reason, successor=successor))
            raise Outdated(reason)
        framing.send(Kind.WELCOME, Welcome(member=self._identity.member, version=version))
        framing.version = version

    def _answer(
        self, framing: Framing, reception: Reception, prefix: Prefix, data: memoryview
    ) -> None:
        if prefix.kind is Kind.SEND:
            reception.take(prefix, data, self._identity.num_bytes)
            return
        if prefix.payload_bytes:
            raise ProtocolError(f"more follows a {prefix.kind.name} message than there may")
        if prefix.kind is Kind.SETTLE:
            reception.settle(data)
        elif prefix.kind in _REQUESTS:
            self._show(framing, prefix.kind, data)
        else:
            raise ProtocolError(f"{prefix.kind.name} came where a request is due")

    def _show(self, framing: Framing, kind: Kind, data: memoryview) -> None:
        request = decode(Request, data)
        self._courier.receive(self.member, request.gossip)
        source = self._sources.get(Wanted.MODEL if kind is Kind.STATUS else Wanted(kind))
        snapshot = None if source is None else source.pin()
        if snapshot is None:
            framing.send(Kind.NOT_READY, Unready(gossip=self._courier.send()))
            return
        try:
            reply = Reply(snapshot=snapshot.header, gossip=self._courier.send())
            if kind is Kind.STATUS:
                framing.send(Kind.STANDING, reply)
            else:
                excerpt = request.excerpt if kind is Kind.PULL else None
                self._send_snapshot(framing, reply, snapshot, excerpt)
        finally:
            snapshot.release()

    def _send_snapshot(
        self, framing: Framing, reply: Reply, snapshot: PinnedSnapshot, excerpt: Excerpt | None
    ) -> None:
        memory = snapshot.memory if excerpt is None else self._read(snapshot.memory, excerpt)
        size = payload_bytes(framing, memory.nbytes)
        head = framing.encode(Kind.SNAPSHOT, reply, payload_bytes=size)
        send_payload(framing, head, memory, snapshot.digests.of if excerpt is None else digest_anew)
        self.sent_bytes += memory.nbytes

    def _read(self, memory: memoryview, excerpt: Excerpt) -> memoryview:
        if self._excerpts is None:
            raise ProtocolError(f"{self.member} asks for {excerpt}, only whole snapshots are given")
        try:
            return self._excerpts(memory, excerpt)
        except ValueError as error:
            raise ProtocolError(f"{self.member} asks for what there is not: {error}") from error
