"""The operator's own endpoints: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiohttp import web

from gossip_api.metrics.instruments import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from gossip_operator.shell.metrics import Metrics

log = logging.getLogger(__name__)


class HealthServer:
    """Serves until it is closed. That it answers shows that the event loop gets on.

    Args:
        complaint: says what is wrong when the operator is stuck, else None.
        is_ready: whether the operator does its work, be it only to stand by.

    """

    def __init__(
        self,
        address: str,
        *,
        metrics: Metrics,
        complaint: Callable[[], str | None],
        is_ready: Callable[[], bool],
    ) -> None:
        self._address = address
        self._metrics = metrics
        self._complaint = complaint
        self._is_ready = is_ready
        application = web.Application()
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", self._page)
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self) -> None:
        """Begin to serve; OSError if the address is taken."""
        await self._runner.setup()
        host, _, port = self._address.rpartition(":")
        await web.TCPSite(self._runner, host.strip("[]"), int(port)).start()
        log.info("serving health and metrics at %s", self._address)

    async def close(self) -> None:
        """Stop serving."""
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        complaint = self._complaint()
        if complaint is None:
            return web.Response(text="ok\n")
        return web.Response(status=503, text=f"{complaint}\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        if self._is_ready():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="not ready\n")

    async def _page(self, _: web.Request) -> web.Response:
        # A thousand jobs are half a second's work, which nothing else is to wait for.
        page = await asyncio.to_thread(self._metrics.page)
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE})
