"""Who leads of several replicas: a Lease in the cluster, renewed by whoever holds it.

A replica never trusts another's clock: it measures by its own how long a Lease has not changed.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gossip_operator.shell.errors import ApiError, LeaseLostError
from gossip_operator.shell.resources import LEASE

if TYPE_CHECKING:
    from collections.abc import Callable

    from gossip_operator.shell.kube import Json, Kube
    from gossip_operator.shell.settings import LeaseSettings

log = logging.getLogger(__name__)


class Elector:
    """Gets the Lease, keeps it, and gives it back.

    Args:
        kube: a client whose requests wait for nobody else's.
        identity: tells this replica from all others, earlier ones of the same pod included.
        clock: monotonic seconds.

    """

    def __init__(
        self,
        kube: Kube,
        settings: LeaseSettings,
        identity: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._settings = settings
        self._identity = identity
        self._clock = clock
        self._seen: tuple[str, str] | None = None
        self._seen_at = -math.inf
        self._renewed_at = -math.inf
        self._leads = asyncio.Event()
        self._asked_at = clock()

    @property
    def is_leader(self) -> bool:
        """Whether this replica leads."""
        return self._leads.is_set()

    @property
    def seconds_without_answer(self) -> float:
        """How long ago the API server last said whose the Lease is."""
        return self._clock() - self._asked_at

    def seconds_left(self) -> float:
        """Return for how long surely nobody else leads; what is written must end by then."""
        return self._renewed_at + self._settings.renew_seconds - self._clock()

    async def wait(self) -> None:
        """Wait until this replica leads."""
        await self._leads.wait()

    async def run(self) -> None:
        """Get the Lease and keep it; LeaseLostError once another has it or may have it soon."""
        while True:
            held = await self._try()
            if self._leads.is_set() and (held is False or self.seconds_left() <= 0):
                self._leads.clear()
                why = "another replica has it" if held is False else "it could not be renewed"
                raise LeaseLostError(f"the Lease {self._settings.name} is lost: {why}")
            if held and not self._leads.is_set():
                log.info("leading as %s", self._identity)
                self._leads.set()
            pause = self._settings.retry_seconds
            await asyncio.sleep(min(pause, self.seconds_left()) if self.is_leader else pause)

    async def release(self) -> None:
        """Give the Lease back, so that another replica need not wait; best effort."""
        if not self._leads.is_set():
            return
        self._leads.clear()
        self._renewed_at = -math.inf
        settings = self._settings
        try:
            lease = await self._kube.get(LEASE, settings.namespace, settings.name)
            if lease["spec"].get("holderIdentity") == self._identity:
                lease["spec"] |= {
                    "holderIdentity": "",
                    "leaseDurationSeconds": 1,
                    "renewTime": _now(),
                }
                await self._kube.update(LEASE, lease)
        except ApiError as error:
            log.warning("the Lease cannot be given back, it will run out: %s", error)

    async def _try(self) -> bool | None:
        """Get or renew the Lease; None if the API server does not say whose it is.

        A leader waits for an answer only as long as it surely leads: one that came later could
        not make it lead on, and until then another may lead already.
        """
        try:
            async with asyncio.timeout(self.seconds_left() if self.is_leader else None):
                return await self._step()
        except (ApiError, TimeoutError) as error:
            why = error if isinstance(error, ApiError) else "no answer in time"
            log.warning("the Lease cannot be read or written: %s", why)
            return None

    async def _step(self) -> bool:
        lease, now = await self._read(), self._clock()
        self._asked_at = now
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        state = (holder, spec.get("renewTime") or "")
        if state != self._seen:
            self._seen, self._seen_at = state, now
        if holder != self._identity:
            duration = spec.get("leaseDurationSeconds") or self._settings.duration_seconds
            if holder and now - self._seen_at < duration:
                return False
            transitions = (spec.get("leaseTransitions") or 0) + 1
            spec = {"acquireTime": _now(), "leaseTransitions": transitions}
        duration = self._settings.duration_seconds
        lease["spec"] = spec | {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": duration,
            "renewTime": _now(),
        }
        try:
            await self._write(lease)
        except ApiError as error:
            if error.status == 409:  # another was faster
                return False
            raise
        self._renewed_at = now  # from before the write: others count from after it
        return True

    async def _read(self) -> Json:
        settings = self._settings
        try:
            return await self._kube.get(LEASE, settings.namespace, settings.name)
        except ApiError as error:
            if error.status != 404:
                raise
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"namespace": settings.namespace, "name": settings.name},
        }

    async def _write(self, lease: Json) -> None:
        if "resourceVersion" in lease["metadata"]:
            await self._kube.update(LEASE, lease)
        else:
            await self._kube.create(LEASE, self._settings.namespace, lease)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
