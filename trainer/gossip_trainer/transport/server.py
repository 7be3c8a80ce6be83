"""Answers peers' pulls from the newest published snapshot, one thread per connection.

It knows neither tensors nor training: a source pins snapshots, a courier takes and gives facts, and
what peers send goes into a mailbox.
"""

import logging
import selectors
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.transport.connection import Address
from gossip_trainer.transport.errors import PeerLost
from gossip_trainer.transport.fencing import Fence
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.security import Credentials
from gossip_trainer.transport.session import Session
from gossip_trainer.transport.snapshots import Courier, Excerpts, SnapshotSource
from gossip_trainer.transport.stream import Line, open_stream
from gossip_trainer.transport.wire import Crowded, Kind, Wanted, encode

log: Final = logging.getLogger(__name__)

RETRY_SECONDS: Final = 0.1


class PeerServer:
    """Listens until closed; a slow, silent or hostile peer costs its own connection only."""

    def __init__(  # noqa: PLR0913 - the parts it puts together
        self,
        listener: socket.socket,
        identity: Identity,
        source: SnapshotSource,
        courier: Courier,
        *,
        others: Mapping[Wanted, SnapshotSource | None] | None = None,
        excerpts: Excerpts | None = None,
        mailbox: Mailbox | None = None,
        tls: Credentials | None = None,
        fence: Fence | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Take over `listener`, a bound and listening TCP socket; no mailbox takes no messages.

        `source` has the model, `others` what else is given, by what it is. `excerpts` reads parts
        of the model; without it nobody gets less than the whole.
        `fence` knows who is outdated; by default it learns that from handshakes alone.
        """
        self._listener = listener
        self._identity = identity
        self._sources = {Wanted.MODEL: source, **(others or {})}
        self._courier = courier
        self._excerpts = excerpts
        self._mailbox = mailbox
        self._tls = tls
        self._fence = fence or Fence(identity.member)
        self._limits = limits or Limits()
        self._guard = threading.Lock()
        self._sent_before = 0  # in sessions that have ended
        self._sessions: dict[Session, threading.Thread] = {}
        self._bell, self._rope = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="serve", daemon=True)

    @property
    def address(self) -> Address:
        """Host and port it listens on."""
        host, port = self._listener.getsockname()[:2]
        return host, port

    @property
    def sent_bytes(self) -> int:
        """Bytes of whole snapshots sent so far, to everyone together."""
        with self._guard:
            return self._sent_before + sum(session.sent_bytes for session in self._sessions)

    def start(self) -> None:
        """Begin to accept connections."""
        self._acceptor.start()

    def close(self, deadline: float = 2.0) -> None:
        """Stop accepting, let answers under way end within `deadline` seconds, cut the rest."""
        end = time.monotonic() + deadline
        self._rope.close()
        if self._acceptor.is_alive():
            self._acceptor.join()
        self._listener.close()
        self._bell.close()
        with self._guard:
            sessions = list(self._sessions.items())
        for session, _ in sessions:
            session.is_last = True
            if session.silent_since is not None:
                session.line.cut()
        for session, thread in sessions:
            thread.join(max(0.0, end - time.monotonic()))
            session.line.cut()
        for _, thread in sessions:
            thread.join(self._limits.window_seconds)

    def _accept(self) -> None:
        self._listener.setblocking(False)
        with selectors.DefaultSelector() as ready:
            ready.register(self._listener, selectors.EVENT_READ)
            ready.register(self._bell, selectors.EVENT_READ)
            while self._bell not in {key.fileobj for key, _ in ready.select()}:
                try:
                    sock, where = self._listener.accept()
                except BlockingIOError:
                    continue  # whoever knocked is gone again
                except OSError as error:
                    log.warning("cannot accept a connection: %s", error)
                    if not self._make_room():  # out of file descriptors, most likely
                        time.sleep(RETRY_SECONDS)
                    continue
                self._admit(sock, f"{where[0]}:{where[1]}")

    def _admit(self, sock: socket.socket, peer: str) -> None:
        if len(self._sessions) >= self._limits.max_connections and not self._make_room():
            self._turn_away(sock)
            return
        line = Line()
        line.hold(sock)
        session = Session(
            line,
            self._identity,
            self._sources,
            self._courier,
            excerpts=self._excerpts,
            mailbox=self._mailbox,
            fence=self._fence,
            limits=self._limits,
        )
        thread = threading.Thread(
            target=self._serve, args=(session, sock, peer), name=f"serve {peer}", daemon=True
        )
        with self._guard:
            self._sessions[session] = thread
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more threads
            log.warning("%s is not served: %s", peer, error)
            self._end(session)

    def _make_room(self) -> bool:
        """Cut the connection that has been silent the longest; return whether there was one."""
        with self._guard:
            silent = [
                (session.silent_since, session)
                for session in self._sessions
                if session.silent_since is not None
            ]
            if not silent:
                return False
            _, session = min(silent, key=lambda pair: pair[0])
            del self._sessions[session]
        session.line.cut()
        return True

    def _turn_away(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):  # a newcomer that is gone already needs no answer
            if self._tls is None:
                sock.setblocking(False)
                sock.send(encode(Kind.BUSY, Crowded(connections=self._limits.max_connections)))

    def _serve(self, session: Session, sock: socket.socket, peer: str) -> None:
        try:
            stream = open_stream(
                session.line, sock, peer, self._limits, tls=self._tls, server_side=True
            )
            session.run(stream)
        except PeerLost as error:
            log.debug("%s, %s: %s", session.member, peer, error)
        except GossipTrainerError as error:
            log.warning("%s, %s: %s", session.member, peer, error)
        finally:
            self._end(session)

    def _end(self, session: Session) -> None:
        session.line.close()
        with self._guard:
            self._sessions.pop(session, None)
            self._sent_before += session.sent_bytes
            session.sent_bytes = 0
