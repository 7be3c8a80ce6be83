"""Asks peers: pulls their snapshots and sends them messages, over connections that are kept.

It does not know whom to ask or what a snapshot or a message means.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.transport.connection import Address, Connection, open_connection
from gossip_trainer.transport.errors import (
    HandshakeRefused,
    PeerLost,
    TransportError,
    Unsettled,
)
from gossip_trainer.transport.fencing import Fence
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.security import Credentials
from gossip_trainer.transport.snapshots import Courier
from gossip_trainer.transport.stream import Line
from gossip_trainer.transport.verdicts import Verdict
from gossip_trainer.transport.wire import (
    Kind,
    MessageHeader,
    MessageId,
    SnapshotHeader,
    Wanted,
)

T = TypeVar("T")


class PeerClient:
    """The way to the peers; it has no thread of its own.

    Threads may share it, each with one exchange at a time. `abort` and `close` may be called from
    any thread.
    """

    def __init__(
        self,
        identity: Identity,
        courier: Courier,
        *,
        tls: Credentials | None = None,
        fence: Fence | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._identity = identity
        self._courier = courier
        self._tls = tls
        self._fence = fence or Fence(identity.member)
        self._limits = limits or Limits()
        self._kept: OrderedDict[Address, Connection] = OrderedDict()
        self._guard = threading.Lock()
        self._under_way: set[_Exchange] = set()
        self._is_closed = False

    def pull(
        self,
        address: Address,
        into: memoryview,
        *,
        expect: str | None = None,
        wanted: Wanted = Wanted.MODEL,
        excerpt: Excerpt | None = None,
    ) -> SnapshotHeader:
        """Fetch the newest snapshot of the peer at `address` into `into`.

        Args:
            address: host and port.
            into: writable bytes, as many as the peer's snapshots have: the model's, those of a
                server's part, or those of the excerpt. After an error they are undefined.
            expect: the member that must answer, such as "worker-3-0"; anyone if None.
            wanted: the model, its moving average, or all that training goes on from.
            excerpt: ask for that of the model alone.

        Raises:
            PeerLost: it cannot be reached, went away or made no progress, or `abort` was called.
            HandshakeRefused: it is another member, or of another job, model or protocol.
            Busy, NotReady: it has nothing for us at the moment.
            ChecksumMismatch, ProtocolError: what it sent is damaged or makes no sense.

        """

        def take(connection: Connection) -> SnapshotHeader:
            prefix = connection.ask(wanted.value, self._courier, excerpt)
            return connection.take_snapshot(prefix, into, self._courier)

        return self._exchange(address, expect, take, repeats=True)

    def status(self, address: Address, *, expect: str | None = None) -> SnapshotHeader:
        """Fetch the header of the peer's newest snapshot alone; raises like `pull`."""

        def take(connection: Connection) -> SnapshotHeader:
            prefix = connection.ask(Kind.STATUS, self._courier)
            return connection.take_status(prefix, self._courier)

        return self._exchange(address, expect, take, repeats=True)

    def who(self, address: Address) -> str:
        """Return the name of the member that answers at `address`; raises like `pull`."""
        return self._exchange(
            address, None, lambda connection: connection.member, repeats=True, afresh=True
        )

    def send(
        self,
        address: Address,
        header: MessageHeader,
        payload: memoryview,
        into: memoryview,
        *,
        expect: str,
    ) -> Verdict:
        """Send the peer at `address` a message; return what became of it.

        Args:
            address: host and port.
            header: its id must be greater than that of every message to this peer before.
            payload: as many bytes as the peer takes, or none.
            into: where an answer goes that is not empty, exactly as large as that.
            expect: the member that must take it.

        Raises:
            Unsettled: the peer may have taken it, or may not; ask with `settle`.
            TransportError: as `pull` does; the peer has not taken it and will not.

        """

        def put(connection: Connection) -> Verdict:
            connection.put(header, payload, self._courier)
            try:
                return connection.take_verdict(header.id, into, self._courier)
            except TransportError as error:
                raise Unsettled(error) from error

        return self._exchange(address, expect, put, repeats=False)

    def settle(
        self, address: Address, message: MessageId, into: memoryview, *, expect: str
    ) -> Verdict:
        """Ask the peer that a message was sent to what became of it; one it has not is declined.

        Raises:
            Unsettled: that is still not known.

        """

        def ask(connection: Connection) -> Verdict:
            connection.ask_what_became(message, self._courier)
            return connection.take_verdict(message, into, self._courier)

        try:
            return self._exchange(address, expect, ask, repeats=True)
        except TransportError as error:
            raise Unsettled(error) from error

    def abort(self) -> None:
        """Make what is under way, if anything is, fail at once with PeerLost("aborted")."""
        with self._guard:
            for exchange in self._under_way:
                exchange.abort()

    def close(self) -> None:
        """Abort and hang up; every later exchange fails with PeerLost("aborted")."""
        with self._guard:
            self._is_closed = True
            for exchange in self._under_way:
                exchange.abort()
            while self._kept:
                self._kept.popitem()[1].line.close()

    def _exchange(
        self,
        address: Address,
        expect: str | None,
        do: Callable[[Connection], T],
        *,
        repeats: bool,
        afresh: bool = False,
    ) -> T:
        """Do it over a kept connection; where it may be repeated and that one went stale, again.

        `afresh` uses no kept one.
        """
        exchange = _Exchange()
        with self._guard:
            exchange.is_aborted = self._is_closed
            self._under_way.add(exchange)
        try:
            kept = None if afresh else self._take_kept(address, expect)
            if kept is not None:
                exchange.use(kept.line)
                try:
                    return self._finish(exchange, address, kept, do(kept))
                except PeerLost as error:
                    if not repeats or error.reason not in {"closed", "reset"}:
                        raise
            exchange.use(line := Line())
            fresh = self._dial(line, address, expect)
            return self._finish(exchange, address, fresh, do(fresh))
        except PeerLost as error:
            if exchange.is_aborted:
                raise PeerLost("aborted", "the exchange was given up") from error
            raise
        finally:
            with self._guard:
                self._under_way.discard(exchange)
                exchange.drop()

    def _take_kept(self, address: Address, expect: str | None) -> Connection | None:
        with self._guard:
            kept = self._kept.pop(address, None)
        if kept is None or (expect in {None, kept.member} and kept.line.is_quiet()):
            return kept
        kept.line.close()
        return None

    def _dial(self, line: Line, address: Address, expect: str | None) -> Connection:
        connection = open_connection(
            line, address, self._identity, self._limits, tls=self._tls, fence=self._fence
        )
        if expect not in {None, connection.member}:
            raise HandshakeRefused(
                f"{connection.member} answers at {address[0]}:{address[1]}, {expect} was "
                "expected: the address was given to another member, look the peer up again"
            )
        return connection

    def _finish(
        self, exchange: "_Exchange", address: Address, connection: Connection, result: T
    ) -> T:
        """Keep the connection for the next exchange, unless another thread keeps one already."""
        with self._guard:
            if not self._is_closed and address not in self._kept:
                exchange.line = None
                self._kept[address] = connection
                if len(self._kept) > self._limits.open_connections:
                    self._kept.popitem(last=False)[1].line.close()
        return result


class _Exchange:
    """One exchange under way, over one line after the other."""

    def __init__(self) -> None:
        self.line: Line | None = None
        self.is_aborted = False

    def use(self, line: Line) -> None:
        """Go on over `line`; the one before is closed."""
        self.drop()
        self.line = line
        if self.is_aborted:
            line.cut()

    def abort(self) -> None:
        """Let it fail at once, or as soon as it uses a line."""
        self.is_aborted = True
        line = self.line
        if line is not None:
            line.cut()

    def drop(self) -> None:
        """Close the line in use, unless it was kept."""
        if self.line is not None:
            self.line.close()
            self.line = None
