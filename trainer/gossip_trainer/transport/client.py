"""Pulls snapshots from peers, over connections that are kept for the next pull.

It does not know whom to ask or what a snapshot means.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable

from gossip_trainer.transport.connection import Address, Connection, open_connection
from gossip_trainer.transport.errors import HandshakeRefused, PeerLost
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.security import Credentials
from gossip_trainer.transport.snapshots import Courier
from gossip_trainer.transport.stream import Line
from gossip_trainer.transport.wire import Kind, Prefix, SnapshotHeader

Take = Callable[[Connection, Prefix], SnapshotHeader]


class PeerClient:
    """One thread's way to its peers: one exchange at a time, no thread of its own.

    `abort` and `close` may be called from any thread.
    """

    def __init__(
        self,
        identity: Identity,
        courier: Courier,
        *,
        tls: Credentials | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._identity = identity
        self._courier = courier
        self._tls = tls
        self._limits = limits or Limits()
        self._kept: OrderedDict[Address, Connection] = OrderedDict()
        self._guard = threading.Lock()
        self._line: Line | None = None
        self._is_aborted = False
        self._is_closed = False

    def pull(
        self, address: Address, into: memoryview, *, expect: str | None = None
    ) -> SnapshotHeader:
        """Fetch the newest snapshot of the peer at `address` into `into`.

        Args:
            address: host and port.
            into: writable bytes of the flat tensor, exactly the identity's `num_bytes`. After an
                error they are undefined.
            expect: the member that must answer, such as "worker-3-0"; anyone if None.

        Raises:
            PeerLost: it cannot be reached, went away or made no progress, or `abort` was called.
            HandshakeRefused: it is another member, or of another job, model or protocol.
            Busy, NotReady: it has nothing for us at the moment.
            ChecksumMismatch, ProtocolError: what it sent is damaged or makes no sense.

        """
        if into.nbytes != self._identity.num_bytes:
            raise ValueError(
                f"`into` has {into.nbytes} bytes, the model {self._identity.num_bytes}"
            )

        def take(connection: Connection, prefix: Prefix) -> SnapshotHeader:
            return connection.take_snapshot(prefix, into, self._courier)

        return self._exchange(address, expect, Kind.PULL, take)

    def status(self, address: Address, *, expect: str | None = None) -> SnapshotHeader:
        """Fetch the header of the peer's newest snapshot alone; raises like `pull`."""

        def take(connection: Connection, prefix: Prefix) -> SnapshotHeader:
            return connection.take_status(prefix, self._courier)

        return self._exchange(address, expect, Kind.STATUS, take)

    def abort(self) -> None:
        """Make the exchange under way, if there is one, fail at once with PeerLost("aborted")."""
        with self._guard:
            self._is_aborted = True
            if self._line is not None:
                self._line.cut()

    def close(self) -> None:
        """Abort and hang up; every later exchange fails with PeerLost("aborted")."""
        self._is_closed = True
        self.abort()
        with self._guard:
            while self._kept:
                self._kept.popitem()[1].line.close()

    def _exchange(
        self, address: Address, expect: str | None, kind: Kind, take: Take
    ) -> SnapshotHeader:
        with self._guard:
            self._is_aborted = self._is_closed
        try:
            connection, prefix = self._ask(address, expect, kind)
            header = take(connection, prefix)
        except PeerLost as error:
            if self._is_aborted:
                raise PeerLost("aborted", "the exchange was given up") from error
            raise
        else:
            self._keep(address, connection)
            return header
        finally:
            self._drop()

    def _ask(self, address: Address, expect: str | None, kind: Kind) -> tuple[Connection, Prefix]:
        """Ask over a kept connection; if it went stale while it was idle, over a new one."""
        with self._guard:
            kept = self._kept.pop(address, None)
        if kept is not None:
            self._use(kept.line)
            if expect in {None, kept.member}:
                try:
                    return kept, kept.ask(kind, self._courier)
                except PeerLost as error:
                    if error.reason not in {"closed", "reset"}:
                        raise
            self._drop()
        fresh = self._dial(address, expect)
        return fresh, fresh.ask(kind, self._courier)

    def _dial(self, address: Address, expect: str | None) -> Connection:
        line = Line()
        self._use(line)
        connection = open_connection(line, address, self._identity, self._limits, tls=self._tls)
        if expect not in {None, connection.member}:
            raise HandshakeRefused(
                f"{connection.member} answers at {address[0]}:{address[1]}, {expect} was "
                "expected: the address was given to another member, look the peer up again"
            )
        return connection

    def _use(self, line: Line) -> None:
        """Let `abort` cut `line` from now on."""
        with self._guard:
            self._line = line
            if self._is_aborted:
                raise PeerLost("aborted", "the exchange was given up")

    def _keep(self, address: Address, connection: Connection) -> None:
        with self._guard:
            if self._is_closed:
                return
            self._line = None
            self._kept[address] = connection
            if len(self._kept) > self._limits.open_connections:
                self._kept.popitem(last=False)[1].line.close()

    def _drop(self) -> None:
        """Close the line in use, unless it was kept."""
        with self._guard:
            line, self._line = self._line, None
        if line is not None:
            line.close()
