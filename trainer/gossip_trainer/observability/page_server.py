"""Answers a few GET requests over HTTP, in threads of its own and never too many at a time."""

import logging
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

log: Final = logging.getLogger(__name__)

MAX_REQUESTS: Final = 16  # at once; whoever comes then is hung up on
REQUEST_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Page:
    """What a path is answered with."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK


class PageServer:
    """Listens from its making until it is closed.

    Args:
        host: an IP address.
        port: 0 lets the system choose.
        answer: makes the page of a path, such as `/metrics`; called by many threads.

    """

    def __init__(self, host: str, port: int, answer: Callable[[str], Page]) -> None:
        self._server = _Server(host, port, answer)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="pages", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens, `host:port`."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = MAX_REQUESTS

    def __init__(self, host: str, port: int, answer: Callable[[str], Page]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.answer = answer
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
        page = self.server.answer(self.path.partition("?")[0])
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        """Log no request: there is one a second."""
