"""Mutual TLS 1.3 from three files: tls.crt, tls.key and ca.crt in one folder.

A certificate proves that its holder belongs to the job, by a URI in its subject alternative name
such as "spiffe://gossip.training/ns/<namespace>/job/<uid>". It proves neither rank nor address, so
host names are not looked at. The keys never leave the TLS library.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Final

from gossip_trainer.transport.errors import CredentialsError, HandshakeRefused

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
AUTHORITY: Final = "ca.crt"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a worker needs to prove that it belongs to its job, and to ask the same of others.

    Attributes:
        client: for connections it makes.
        server: for connections it accepts.
        uri: the URI of its own certificate; a peer's must be the same.

    """

    client: ssl.SSLContext
    server: ssl.SSLContext
    uri: str

    def wrap(self, sock: socket, *, server_side: bool) -> ssl.SSLSocket:
        """Take over the connected `sock`; the TLS handshake is still to be made."""
        context = self.server if server_side else self.client
        return context.wrap_socket(sock, server_side=server_side, do_handshake_on_connect=False)

    def check(self, sock: ssl.SSLSocket) -> None:
        """Raise HandshakeRefused unless the peer's certificate names the same job."""
        found = _uris(sock.getpeercert())
        if found != (self.uri,):
            raise HandshakeRefused(
                f"the peer's certificate names {', '.join(found) or 'no URI'}, "
                f"the own one {self.uri}: the peer belongs to another job"
            )


def load_credentials(folder: Path) -> Credentials:
    """Load and check the three files in `folder`; raise CredentialsError saying which is wrong."""
    client = _context(ssl.PROTOCOL_TLS_CLIENT, folder)
    server = _context(ssl.PROTOCOL_TLS_SERVER, folder)
    client.check_hostname = False
    server.num_tickets = 0  # connections are kept, sessions are not resumed
    return Credentials(client, server, _own_uri(client, server, folder))


def _context(protocol: int, folder: Path) -> ssl.SSLContext:
    for name in (CERTIFICATE, KEY, AUTHORITY):
        _check_readable(folder / name)
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(folder / AUTHORITY)
    except ssl.SSLError as error:
        raise CredentialsError(f"{folder / AUTHORITY} holds no PEM certificate: {error}") from error
    try:
        context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    except ssl.SSLError as error:
        raise CredentialsError(
            f"{folder / CERTIFICATE} and {folder / KEY} are not a PEM certificate and its key: "
            f"{error}"
        ) from error
    return context


def _check_readable(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise CredentialsError(
            f"cannot read {path}: {error.strerror}; mutual TLS needs {CERTIFICATE}, {KEY} and "
            f"{AUTHORITY} in one folder"
        ) from error


def _own_uri(client: ssl.SSLContext, server: ssl.SSLContext, folder: Path) -> str:
    """Shake hands with oneself in memory: what a peer will see, checked before any peer does."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server)
    other = server.wrap_bio(to_server, to_client, server_side=True)
    try:
        for step in (one, other, one, other):
            _advance(step.do_handshake)
    except ssl.SSLError as error:
        raise CredentialsError(
            f"{folder / CERTIFICATE} is not accepted by {folder / AUTHORITY}: {error}"
        ) from error
    found = _uris(one.getpeercert())
    if len(found) != 1:
        raise CredentialsError(
            f"{folder / CERTIFICATE} must name its job by exactly one URI in its subject "
            f"alternative name, found {', '.join(found) or 'none'}"
        )
    return found[0]


def _advance(do_handshake: Callable[[], None]) -> None:
    try:
        do_handshake()
    except ssl.SSLWantReadError:
        return  # it is the other side's turn


def _uris(certificate: object) -> tuple[str, ...]:
    names = certificate.get("subjectAltName", ()) if isinstance(certificate, dict) else ()
    return tuple(value for kind, value in names if kind == "URI")
