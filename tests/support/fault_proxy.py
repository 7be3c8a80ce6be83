"""A proxy between the operator and the API server that fails as it is told to.

It shows the API server's own certificate and passes on who asks (a token), so the operator cannot
tell it from the API server. Faults are chosen by kind of request, path and turn.
"""

import asyncio
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from testbed.pki import Pki
from yarl import URL

LOOPBACK = "127.0.0.1"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
WATCH = "WATCH"
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "host", "content-length"})
START_SECONDS = 10.0


@dataclass(frozen=True)
class Refuse:
    """Answer in the API server's place; the request does not reach it."""

    status: int
    reason: str
    retry_after: int | None = None


@dataclass(frozen=True)
class Drop:
    """Cut the connection before the request reaches the server."""

    first: Callable[[], None] | None = None
    """What to do before that."""


@dataclass(frozen=True)
class LoseAnswer:
    """Let the server do what it is asked, and cut the connection instead of answering."""

    first: Callable[[], None] | None = None
    """What to do before that."""


@dataclass(frozen=True)
class CutAfter:
    """Cut the connection in the middle of the answer, after so many bytes."""

    num_bytes: int


@dataclass(frozen=True)
class Hang:
    """Never answer."""


@dataclass(frozen=True)
class Expire:
    """Begin a watch well and end it with 410 Gone, as the server does with too old a version."""


Act = Refuse | Drop | LoseAnswer | CutAfter | Hang | Expire


@dataclass
class Fault:
    """What happens to some requests.

    Attributes:
        act: what.
        kinds: methods, and WATCH for a GET that watches.
        path: regular expression that is found in the path.
        skip: how many such requests pass before.
        times: how many are hit.
        hits: how many were.

    """

    act: Act
    kinds: frozenset[str] = WRITES
    path: str = ""
    skip: int = 0
    times: float = 1
    hits: int = field(default=0, init=False)

    def takes(self, kind: str, path: str) -> bool:
        """Tell whether this request is hit, and count it."""
        if kind not in self.kinds or not re.search(self.path, path) or self.hits >= self.times:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        return True


@dataclass
class Seen:
    """A request that came.

    Attributes:
        at: monotonic seconds.
        status: of the answer; 0 if there was none.

    """

    at: float
    kind: str
    path: str
    status: int = 0


class FaultProxy:
    """Passes on what comes, faults aside, from a thread of its own.

    Attributes:
        requests: all that came, in order.
        watch_delay: seconds by which what watches report comes late.

    """

    def __init__(self, pki: Pki) -> None:
        self._pki = pki
        self.requests: list[Seen] = []
        self.watch_delay = 0.0
        self._faults: list[Fault] = []
        self._watches: dict[int, web.Request] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._port = 0

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self._port}"

    def start(self) -> None:
        self._thread.start()
        self._do(self._start())

    def stop(self) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)
        self._loop.close()

    def write_kubeconfig(self, name: str, token: str) -> Path:
        """Write a kubeconfig for whoever holds the token, through here."""
        return Pki(self._pki.folder, self.url).write_kubeconfig(name, token)

    def inject(self, act: Act, **which: Any) -> Fault:
        """Let something happen from now on; see Fault."""
        fault = Fault(act, **which)
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Fail no more."""
        self._faults.clear()
        self.watch_delay = 0.0

    def cut_watches(self) -> int:
        """Cut all watches at once; return how many there were."""
        watches = list(self._watches.values())
        for request in watches:
            self._loop.call_soon_threadsafe(_cut, request)
        return len(watches)

    def close_door(self) -> None:
        """Cut every connection and refuse new ones."""
        self._do(self._close_door())

    def open_door(self) -> None:
        self._do(self._open_door())

    def seen(self, *kinds: str, path: str = "", since: float = 0.0) -> list[Seen]:
        """Return the requests of these kinds, all of them if none is given."""
        return [
            one
            for one in list(self.requests)
            if one.at >= since and (not kinds or one.kind in kinds) and re.search(path, one.path)
        ]

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    async def _start(self) -> None:
        upstream = ssl.create_default_context(cafile=self._pki.path("ca.crt"))
        self._session = ClientSession(
            connector=TCPConnector(ssl=upstream, limit=0, force_close=True),
            timeout=ClientTimeout(),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=2**26)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=0.5
        )
        await self._runner.setup()
        await self._open_door()

    async def _stop(self) -> None:
        await self._close_door()
        await self._runner.cleanup()
        await self._session.close()
        for _ in range(100):  # what was cut takes a moment to be closed
            if len(self._loop._selector.get_map()) <= 1:
                break
            await asyncio.sleep(0.02)

    async def _open_door(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._pki.path("apiserver.crt"), self._pki.path("apiserver.key"))
        self._site = web.TCPSite(
            self._runner, LOOPBACK, self._port, ssl_context=context, reuse_address=True
        )
        await self._site.start()
        self._port = self._runner.addresses[0][1]

    async def _close_door(self) -> None:
        await self._site.stop()
        server = self._runner.server
        assert isinstance(server, web.Server)
        for connection in server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        is_watch = request.query.get("watch", "") in {"true", "1"}
        seen = Seen(time.monotonic(), WATCH if is_watch else request.method, request.path)
        self.requests.append(seen)
        body = await request.read()
        fault = next((f for f in self._faults if f.takes(seen.kind, seen.path)), None)
        match fault.act if fault is not None else None:
            case Refuse() as refusal:
                seen.status = refusal.status
                return _refuse(refusal)
            case Drop(first):
                return await self._abort(request, first)
            case Hang():
                await asyncio.Event().wait()
            case Expire():
                return await _expire(request)
            case LoseAnswer(first):
                seen.status = await self._forget(request, body)
                return await self._abort(request, first)
            case CutAfter(num_bytes):
                return await self._pass_on(request, body, seen, num_bytes)
        return await self._pass_on(request, body, seen, None)

    async def _abort(
        self, request: web.Request, first: Callable[[], None] | None
    ) -> web.StreamResponse:
        if first is not None:
            await asyncio.shield(asyncio.to_thread(first))
        _cut(request)
        return web.Response(status=502)

    async def _forget(self, request: web.Request, body: bytes) -> int:
        """Let the server do it and read its answer to the end."""
        async with self._ask(request, body) as upstream:
            await upstream.read()
            return upstream.status

    async def _pass_on(
        self, request: web.Request, body: bytes, seen: Seen, limit: int | None
    ) -> web.StreamResponse:
        try:
            async with self._ask(request, body) as upstream:
                seen.status = upstream.status
                headers = _kept(upstream.headers)
                response = web.StreamResponse(status=upstream.status, headers=headers)
                await response.prepare(request)
                if seen.kind == WATCH:
                    await self._pass_watch_on(request, upstream, response)
                else:
                    left = limit if limit is not None else 2**62
                    async for chunk in upstream.content.iter_any():
                        await response.write(chunk[:left])
                        left -= len(chunk)
                        if left <= 0:
                            await asyncio.sleep(0.05)  # let what was written go out
                            _cut(request)
                            break
                return response
        except (ClientError, OSError):  # the server is away, or the operator
            _cut(request)
            return web.Response(status=502)

    async def _pass_watch_on(
        self, request: web.Request, upstream: Any, response: web.StreamResponse
    ) -> None:
        """Pass on what a watch reports, each part so late as is asked for when it comes."""
        parts: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def read() -> None:
            with suppress(ClientError, OSError):
                async for chunk in upstream.content.iter_any():
                    parts.put_nowait((time.monotonic() + self.watch_delay, chunk))
            parts.put_nowait((0.0, b""))

        self._watches[id(request)] = request
        reading = asyncio.create_task(read())
        try:
            while True:
                due, chunk = await parts.get()
                if not chunk:
                    return
                await asyncio.sleep(due - time.monotonic())
                await response.write(chunk)
        finally:
            reading.cancel()
            self._watches.pop(id(request), None)

    def _ask(self, request: web.Request, body: bytes) -> Any:
        url = URL(f"{self._pki.url}{request.raw_path}", encoded=True)
        return self._session.request(
            request.method, url, headers=_kept(request.headers), data=body or None
        )


def _kept(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _status(code: int, reason: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": f"{reason}, says the test",
    }


def _refuse(refusal: Refuse) -> web.Response:
    headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    body = _status(refusal.status, refusal.reason)
    return web.json_response(body, status=refusal.status, headers=headers)


async def _expire(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    event = {"type": "ERROR", "object": _status(410, "Expired")}
    await response.write(f"{json.dumps(event)}\n".encode())
    return response
