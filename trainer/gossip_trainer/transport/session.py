"""The server's end of one connection, run by a thread of its own."""

import time

from gossip_trainer.transport.chunks import cut, framed_bytes
from gossip_trainer.transport.errors import HandshakeRefused, ProtocolError
from gossip_trainer.transport.framing import Framing
from gossip_trainer.transport.identity import Identity, common_version, objection
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.snapshots import Courier, PinnedSnapshot, SnapshotSource
from gossip_trainer.transport.stream import Line, Stream
from gossip_trainer.transport.wire import (
    MAX_GREETING_BYTES,
    MAX_HEADER_BYTES,
    Hello,
    Kind,
    Refused,
    Reply,
    Request,
    Unready,
    Welcome,
    decode,
)


class Session:
    """One peer being served.

    Attributes:
        line: cuts and closes it, from any thread.
        member: who the peer says it is, once it has said so.
        silent_since: when it last was answered; None while it is being answered.
        is_last: set from outside: the answer under way is the last one.
        sent_bytes: of whole snapshots sent to it.

    """

    def __init__(
        self,
        line: Line,
        identity: Identity,
        source: SnapshotSource,
        courier: Courier,
        limits: Limits,
    ) -> None:
        self.line = line
        self.member = "a stranger"
        self.silent_since: float | None = time.monotonic()
        self.is_last = False
        self.sent_bytes = 0
        self._identity = identity
        self._source = source
        self._courier = courier
        self._limits = limits

    def run(self, stream: Stream) -> None:
        """Answer until the peer hangs up or fails; raise a TransportError in any case."""
        framing = Framing(stream)
        self._greet(framing)
        while not self.is_last:
            kind, data = framing.receive(self._limits.idle_seconds, MAX_HEADER_BYTES)
            self.silent_since = None
            self._answer(framing, kind, data)
            self.silent_since = time.monotonic()

    def _greet(self, framing: Framing) -> None:
        kind, data = framing.receive(self._limits.handshake_seconds, MAX_GREETING_BYTES)
        if kind is not Kind.HELLO:
            raise ProtocolError(f"a connection begins with {kind.name} instead of HELLO")
        peer = decode(Hello, data).identity()
        self.member = peer.member
        version = common_version(self._identity, peer)
        reason = objection(self._identity, peer)
        if version is None or reason is not None:
            framing.send(Kind.REFUSED, Refused(reason=reason or ""))
            raise HandshakeRefused(f"{peer.member} was refused: {reason}")
        framing.send(Kind.WELCOME, Welcome(member=self._identity.member, version=version))
        framing.version = version

    def _answer(self, framing: Framing, kind: Kind, data: memoryview) -> None:
        if kind not in {Kind.PULL, Kind.STATUS}:
            raise ProtocolError(f"{kind.name} came where PULL or STATUS is due")
        self._courier.receive(self.member, decode(Request, data).gossip)
        snapshot = self._source.pin()
        if snapshot is None:
            framing.send(Kind.NOT_READY, Unready(gossip=self._courier.send()))
            return
        try:
            reply = Reply(snapshot=snapshot.header, gossip=self._courier.send())
            if kind is Kind.STATUS:
                framing.send(Kind.STANDING, reply)
            else:
                self._send_snapshot(framing, reply, snapshot)
        finally:
            snapshot.release()

    def _send_snapshot(self, framing: Framing, reply: Reply, snapshot: PinnedSnapshot) -> None:
        memory, digests, stream = snapshot.memory, snapshot.digests, framing.stream
        assert memory.nbytes == self._identity.num_bytes, "a snapshot of another model"
        plain = not stream.encrypted
        payload_bytes = framed_bytes(memory.nbytes, digests=plain)
        before = [memoryview(framing.encode(Kind.SNAPSHOT, reply, payload_bytes=payload_bytes))]
        for index, chunk in enumerate(cut(memory)):
            after = [memoryview(digests.of(index, chunk))] if plain else []
            stream.send([*before, chunk, *after])
            before = []
        self.sent_bytes += memory.nbytes
