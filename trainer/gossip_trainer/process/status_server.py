"""Answers `/status`, `/readyz` and `/healthz` over HTTP, for the kubelet and the operator."""

import logging
import socket
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from gossip_trainer.process.standing import Standing

log: Final = logging.getLogger(__name__)

MAX_REQUESTS: Final = 16  # at once; whoever comes then is hung up on
REQUEST_SECONDS: Final = 5.0


class StatusServer:
    """Listens from the start of the process, before anything is loaded.

    Args:
        host: an IP address.
        port: 0 lets the system choose.
        standing: what to tell.

    """

    def __init__(self, host: str, port: int, standing: Standing) -> None:
        self._server = _Server(host, port, standing)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="status", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = MAX_REQUESTS

    def __init__(self, host: str, port: int, standing: Standing) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.standing = standing
        self._room = threading.Semaphore(MAX_REQUESTS)
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection by a thread of its own, if there is room."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve, and make room again."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's
        """Say little of a client that went away, and all of a fault of our own."""
        level = logging.DEBUG if isinstance(sys.exception(), OSError) else logging.ERROR
        log.log(level, "GET of %s failed", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_SECONDS
    server_version, sys_version = "gossip", ""

    def do_GET(self) -> None:
        """Answer."""
        standing = self.server.standing
        match self.path.partition("?")[0]:
            case "/status":
                body = standing.status().model_dump_json(by_alias=True, exclude_none=True)
                self._answer(HTTPStatus.OK, body, "application/json")
            case "/readyz" if standing.is_ready:
                self._answer(HTTPStatus.OK, "ready\n")
            case "/readyz":
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{standing.phase}\n")
            case "/healthz":
                self._answer(HTTPStatus.OK, "alive\n")
            case _:
                self._answer(HTTPStatus.NOT_FOUND, "there is /status, /readyz and /healthz\n")

    def _answer(self, status: HTTPStatus, body: str, kind: str = "text/plain") -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        """Log no request: there is one a second."""
