"""Bytes over one connection, with a deadline on progress; in the clear, or within TLS.

In the clear the kernel keeps the deadlines (SO_RCVTIMEO, SO_SNDTIMEO): a chunk then costs one
system call and the interpreter lock is handed over once. Python's own socket timeouts would poll
before every call. TLS needs them, because OpenSSL is called once per record anyway.
"""

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from gossip_trainer.transport.errors import HandshakeRefused, PeerLost
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.security import Credentials

Parts = Sequence[memoryview]

_GONE: Final = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)


class Stream(Protocol):
    """A connection as the messages see it; every method raises PeerLost when it fails."""

    encrypted: bool
    peer: str

    def send(self, parts: Parts) -> None:
        """Send all parts."""
        ...

    def receive(self, parts: Parts) -> None:
        """Fill all parts."""
        ...

    def receive_some(self, buffer: memoryview, seconds: float) -> int:
        """Wait at most `seconds` for anything to come; return how many bytes came, at least 1."""
        ...


def lost(peer: str, error: OSError) -> PeerLost:
    """Map what the operating system says to the reason a caller acts on."""
    if isinstance(error, TimeoutError | BlockingIOError):
        return PeerLost("stalled", f"{peer} made no progress in time")
    if isinstance(error, ConnectionRefusedError):
        return PeerLost("refused", f"nobody listens at {peer}")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return PeerLost("closed", f"{peer} hung up")
    if isinstance(error, (*_GONE, ssl.SSLError)):
        return PeerLost("reset", f"the connection to {peer} was cut: {error}")
    return PeerLost("unreachable", f"no way to {peer}: {error}")


class Progress:
    """Watches that each window brings its minimum, or all that was left."""

    def __init__(self, peer: str, limits: Limits) -> None:
        self._peer = peer
        self._seconds = limits.window_seconds
        self._min_bytes = limits.min_bytes_per_window
        self._end = time.monotonic() + self._seconds
        self._num_bytes = 0

    def note(self, num_bytes: int) -> None:
        """Count `num_bytes` more while others are still missing; raise PeerLost if too slow."""
        self._num_bytes += num_bytes
        now = time.monotonic()
        if now < self._end:
            return
        if self._num_bytes < self._min_bytes:
            raise PeerLost(
                "stalled",
                f"{self._peer} moved {self._num_bytes} bytes in {self._seconds:g} s, "
                f"at least {self._min_bytes} are expected",
            )
        self._end = now + self._seconds
        self._num_bytes = 0


class Line:
    """Owns a connection's socket, so that another thread can cut it at whatever stage it is."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._sock: socket.socket | None = None
        self._is_cut = False

    def hold(self, sock: socket.socket) -> None:
        """Own `sock` from now on; raise PeerLost if the line was cut before."""
        with self._guard:
            self._sock = sock
            if self._is_cut:
                raise PeerLost("aborted", "the connection was given up before it was made")

    def cut(self) -> None:
        """Wake whoever waits on the connection; what waits is lost."""
        with self._guard:
            self._is_cut = True
            if self._sock is not None:
                with suppress(OSError):  # it never was connected, or the peer was first
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def is_quiet(self) -> bool:
        """Tell whether nothing is to be read, not even that the other side has hung up."""
        with self._guard:
            if self._sock is None or self._is_cut:
                return False
            poll = select.poll()
            poll.register(self._sock, select.POLLIN)
            return not poll.poll(0)

    def close(self) -> None:
        """Close the socket; nobody uses it any more."""
        with self._guard:
            if self._sock is not None:
                self._sock.close()
                self._sock = None


class PlainStream:
    """A stream in the clear."""

    encrypted = False

    def __init__(self, sock: socket.socket, peer: str, limits: Limits) -> None:
        self._sock = sock
        self._limits = limits
        self.peer = peer
        sock.settimeout(None)
        self._patience = limits.window_seconds
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(self._patience))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(self._patience))

    def send(self, parts: Parts) -> None:
        """Send all parts, as a rule with one system call."""
        progress = Progress(self.peer, self._limits)
        while True:
            try:
                sent = self._sock.sendmsg(parts)
            except OSError as error:
                raise lost(self.peer, error) from error
            parts = _without(parts, sent)
            if not parts:
                return
            progress.note(sent)

    def receive(self, parts: Parts) -> None:
        """Fill all parts, as a rule with one system call."""
        progress = Progress(self.peer, self._limits)
        while True:
            try:
                self._wait_at_most(self._limits.window_seconds)
                got = self._sock.recvmsg_into(parts, 0, socket.MSG_WAITALL)[0]
            except OSError as error:
                raise lost(self.peer, error) from error
            if not got:
                raise PeerLost("closed", f"{self.peer} hung up")
            parts = _without(parts, got)
            if not parts:
                return
            progress.note(got)

    def receive_some(self, buffer: memoryview, seconds: float) -> int:
        """Wait at most `seconds` for anything to come."""
        try:
            self._wait_at_most(seconds)
            got = self._sock.recv_into(buffer)
        except OSError as error:
            raise lost(self.peer, error) from error
        if not got:
            raise PeerLost("closed", f"{self.peer} hung up")
        return got

    def _wait_at_most(self, seconds: float) -> None:
        if seconds != self._patience:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(seconds))
            self._patience = seconds


class TlsStream:
    """A stream within mutual TLS, whose records are authenticated."""

    encrypted = True

    def __init__(self, sock: ssl.SSLSocket, peer: str, limits: Limits) -> None:
        self._sock = sock
        self._limits = limits
        self.peer = peer
        sock.settimeout(limits.window_seconds)

    def send(self, parts: Parts) -> None:
        """Send all parts, record by record."""
        progress = Progress(self.peer, self._limits)
        for part in parts:
            rest = part
            while rest:
                try:
                    sent = self._sock.send(rest)
                except OSError as error:
                    raise lost(self.peer, error) from error
                rest = rest[sent:]
                if rest:
                    progress.note(sent)

    def receive(self, parts: Parts) -> None:
        """Fill all parts, record by record."""
        progress = Progress(self.peer, self._limits)
        for part in parts:
            rest = part
            while rest:
                got = self._receive_into(rest)
                rest = rest[got:]
                if rest:
                    progress.note(got)

    def receive_some(self, buffer: memoryview, seconds: float) -> int:
        """Wait at most `seconds` for anything to come."""
        self._sock.settimeout(seconds)
        try:
            return self._receive_into(buffer)
        finally:
            self._sock.settimeout(self._limits.window_seconds)

    def _receive_into(self, buffer: memoryview) -> int:
        try:
            got = self._sock.recv_into(buffer)
        except OSError as error:
            raise lost(self.peer, error) from error
        if not got:
            raise PeerLost("closed", f"{self.peer} hung up")
        return got


def open_stream(
    line: Line,
    sock: socket.socket,
    peer: str,
    limits: Limits,
    *,
    tls: Credentials | None,
    server_side: bool,
) -> Stream:
    """Make a stream of the connected `sock`; with `tls`, shake hands and check the certificate."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is None:
            return PlainStream(sock, peer, limits)
        wrapped = tls.wrap(sock, server_side=server_side)
        line.hold(wrapped)
        wrapped.settimeout(limits.handshake_seconds)
        wrapped.do_handshake()
    except ssl.SSLCertVerificationError as error:
        raise HandshakeRefused(
            f"the certificate of {peer} is not accepted: {error.verify_message}"
        ) from error
    except ssl.SSLEOFError as error:
        raise lost(peer, error) from error
    except ssl.SSLError as error:
        raise HandshakeRefused(f"no TLS 1.3 connection with {peer}: {error}") from error
    except OSError as error:
        raise lost(peer, error) from error
    tls.check(wrapped)
    return TlsStream(wrapped, peer, limits)


def _timeval(seconds: float) -> bytes:
    return struct.pack("ll", *divmod(max(1, round(seconds * 1e6)), 1_000_000))


def _without(parts: Parts, num_bytes: int) -> Parts:
    """Return what is left of `parts` after the first `num_bytes`."""
    left = list(parts)
    while left and num_bytes >= len(left[0]):
        num_bytes -= len(left.pop(0))
    if num_bytes:
        left[0] = left[0][num_bytes:]
    return left
