"""What membership needs of the API server: listing objects and watching them, nothing else.

Why not the `kubernetes` client is in docs/adr/0010.
"""

# ruff: noqa: N818 - each class is named after what happened

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from gossip_trainer.errors import MembershipError

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REQUEST_SECONDS: Final = 10.0  # to connect, and for an answer to make progress
SLACK_SECONDS: Final = 15.0  # how much later than agreed the server may end a watch
KEEPALIVE_SECONDS: Final = 20  # after which a server that is silently gone is noticed
MAX_LINE_BYTES: Final = 16 << 20  # a slice of 100 endpoints has 30 KB
GONE, TOO_MANY, FORBIDDEN, UNAUTHORIZED = 410, 429, 403, 401


class ApiUnavailable(MembershipError):
    """The API server cannot be reached, or has no time."""


class ApiForbidden(MembershipError):
    """The API server does not let this process do that."""


class ApiExpired(MembershipError):
    """The version to go on from is too old: list anew."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API server is, and what lets this process in.

    Attributes:
        host: a name or an IP address.
        port: of HTTPS.
        token_file: read for every connection, for the kubelet renews it.
        ca_file: whom to trust.

    """

    host: str
    port: int
    token_file: Path
    ca_file: Path


def access_from_pod(environ: Mapping[str, str], account: Path = ACCOUNT) -> Access:
    """Return what Kubernetes gives every pod; MembershipError outside of one."""
    host = environ.get("KUBERNETES_SERVICE_HOST", "")
    port = environ.get("KUBERNETES_SERVICE_PORT", "")
    token, ca = account / "token", account / "ca.crt"
    if not host or not port.isdigit() or not token.is_file() or not ca.is_file():
        raise MembershipError(
            "GOSSIP_PEERS names EndpointSlices, which are watched from within a pod: it needs "
            f"KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT, {token} and {ca}; mount the "
            "service account's token, or use dns:HOST"
        )
    return Access(host, int(port), token, ca)


class ApiServer:
    """Talks to the API server, a connection for each request; used by one thread.

    `close` may be called from any thread and ends what is under way.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._connection: http.client.HTTPSConnection | None = None
        self._is_closed = False

    def get(self, path: str, **parameters: str) -> bytes:
        """Return the body of the answer to a GET.

        Raises:
            ApiUnavailable, ApiForbidden, ApiExpired: as the answer says, or for want of one.

        """
        try:
            return self._open(path, parameters, REQUEST_SECONDS).read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unavailable(error) from error
        finally:
            self._drop()

    def watch(self, path: str, seconds: int, **parameters: str) -> Iterator[bytes]:
        """Yield the lines of a watch until the server ends it, which it does after `seconds`.

        Raises:
            ApiUnavailable, ApiForbidden, ApiExpired: as `get`.

        """
        parameters |= {"watch": "1", "allowWatchBookmarks": "1", "timeoutSeconds": str(seconds)}
        try:
            response = self._open(path, parameters, seconds + SLACK_SECONDS)
            while line := response.readline(MAX_LINE_BYTES):
                if not line.endswith(b"\n"):
                    raise ApiUnavailable("a watch was cut off in the middle of a line")
                yield line
        except (OSError, http.client.HTTPException) as error:
            raise self._unavailable(error) from error
        finally:
            self._drop()

    def close(self) -> None:
        """Let what is under way, and everything later, fail at once."""
        self._is_closed = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _open(
        self, path: str, parameters: Mapping[str, str], seconds: float
    ) -> http.client.HTTPResponse:
        access = self._access
        context = ssl.create_default_context(cafile=str(access.ca_file))
        connection = http.client.HTTPSConnection(
            access.host, access.port, timeout=REQUEST_SECONDS, context=context
        )
        self._connection = connection
        connection.connect()
        if self._is_closed:
            raise ApiUnavailable("closed")
        _keep_alive(connection.sock)
        token = access.token_file.read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        connection.request("GET", f"{path}?{urlencode(parameters)}", headers=headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise _refusal(response.status, path, response.read(2000))
        # The answer has begun, which a watch's does at once; its lines may be long in coming.
        connection.sock.settimeout(seconds)
        return response

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _unavailable(self, error: Exception) -> ApiUnavailable:
        where = f"{self._access.host}:{self._access.port}"
        return ApiUnavailable(f"the API server at {where}: {type(error).__name__}: {error}")


def _refusal(status: int, path: str, body: bytes) -> MembershipError:
    text = f"GET {path}: {status} {' '.join(body.decode(errors='replace').split())}"
    if status in {FORBIDDEN, UNAUTHORIZED}:
        return ApiForbidden(text)
    if status == GONE:
        return ApiExpired(text)
    return ApiUnavailable(text)


def _keep_alive(sock: socket.socket) -> None:
    """Notice a server whose machine is gone although nothing is sent to it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):  # Linux
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS // 2)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_SECONDS // 4)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
