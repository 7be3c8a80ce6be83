"""Lists everything now and then: finds what the watches missed, and shows that all is well.

A watch that was cut off for long begins anew with a list, and kopf does not say what vanished in
between.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from gossip_api.names import GROUP, JOB_NAME_LABEL, PLURAL
from gossip_operator.shell.errors import ApiError
from gossip_operator.shell.pacing import about, pause_after
from gossip_operator.shell.resources import CHILDREN, JOB, NODE, POD, POD_MONITOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from gossip_operator.shell.inventory import Inventory
    from gossip_operator.shell.kube import Json, Kube
    from gossip_operator.shell.metrics import Metrics
    from gossip_operator.shell.mirror import Mirror
    from gossip_operator.shell.resources import Resource
    from gossip_operator.shell.settings import Settings

log = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 3.0
"""After a watch began anew, wait so long for the rest of what it brings."""
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 15.0


class Relist:
    """Keeps mirror and inventory true.

    Args:
        clock: monotonic seconds.

    """

    def __init__(
        self,
        kube: Kube,
        *,
        mirror: Mirror,
        inventory: Inventory,
        settings: Settings,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._mirror = mirror
        self._inventory = inventory
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._wanted = asyncio.Event()
        self._ended_at = clock()
        self._serves_pod_monitors = False
        self._reads_nodes = not settings.namespaces

    @property
    def serves_pod_monitors(self) -> bool:
        """Whether the API server knows PodMonitors and lets us see them."""
        return self._serves_pod_monitors

    @property
    def reads_nodes(self) -> bool:
        """Whether the operator may read nodes."""
        return self._reads_nodes

    @property
    def seconds_since(self) -> float:
        """How long ago everything was listed, or this was made if that never happened."""
        return self._clock() - self._ended_at

    def soon(self) -> None:
        """List everything in a moment: a watch began anew."""
        self._wanted.set()

    async def begin(self) -> None:
        """List everything once; try until that works, for nothing can be decided before."""
        self._ended_at = self._clock()
        attempt = 0
        while True:
            attempt += 1
            pause = pause_after(attempt, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS)
            try:
                await self.once()
            except ApiError as error:
                log.error("waiting %.0f s: %s", pause, self._explain(error))  # noqa: TRY400
            else:
                return
            await asyncio.sleep(pause)

    async def run(self) -> None:
        """List everything for ever; what fails is tried again."""
        attempt = 0
        pause = about(self._settings.relist_seconds)
        while True:
            try:
                async with asyncio.timeout(pause):
                    await self._wanted.wait()
                    await asyncio.sleep(SETTLE_SECONDS)
            except TimeoutError:
                pass  # it is time anyway
            self._wanted.clear()
            try:
                await self.once()
            except ApiError as error:
                attempt += 1
                pause = pause_after(
                    attempt, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS
                )
                log.warning("listing again in %.0f s: %s", pause, self._explain(error))
            else:
                attempt, pause = 0, about(self._settings.relist_seconds)

    async def once(self) -> None:
        """List everything; ApiError if a part cannot be listed."""
        served_before = self._serves_pod_monitors
        self._serves_pod_monitors = await self._kube.serves(POD_MONITOR)
        for scope in self._settings.scopes:
            await self._list_jobs(scope)
            await self._list_pods(scope)
            for resource in CHILDREN:
                if resource is not POD_MONITOR or self._serves_pod_monitors:
                    await self._list_children(resource, scope)
        if self._reads_nodes:
            await self._list_nodes()
        if self._serves_pod_monitors != served_before:
            self._mirror.call_all()
        self._ended_at = self._clock()
        self._metrics.relisted.set_to_current_time()

    async def _list_jobs(self, scope: str | None) -> None:
        listed, version = set[str](), 0
        async for page in self._kube.pages(JOB, scope):
            version = page.version
            for raw in page.items:
                listed.add(raw["metadata"]["uid"])
                _take(raw, self._mirror.take_job)
        self._count_ghosts(JOB, self._mirror.end_list_of_jobs(scope, listed, version))

    async def _list_pods(self, scope: str | None) -> None:
        listed, version = set[str](), 0
        async for page in self._kube.pages(POD, scope, selector=JOB_NAME_LABEL):
            version = page.version
            for raw in page.items:
                listed.add(raw["metadata"]["uid"])
                _take(raw, self._mirror.take_pod)
        self._count_ghosts(POD, self._mirror.end_list_of_pods(scope, listed, version))

    async def _list_children(self, resource: Resource, scope: str | None) -> None:
        listed, version = set[str](), 0
        pages = self._kube.pages(resource, scope, selector=JOB_NAME_LABEL, only_metadata=True)
        try:
            async for page in pages:
                version = page.version
                for raw in page.items:
                    listed.add(raw["metadata"]["uid"])
                    self._inventory.take(resource.kind, raw["metadata"])
        except ApiError as error:
            if error.status != 403 or resource is not POD_MONITOR:
                raise
            self._serves_pod_monitors = False
            log.warning("PodMonitors are served but may not be listed; making none: %s", error)
            return
        self._inventory.end_list(resource.kind, scope, listed, version)

    async def _list_nodes(self) -> None:
        listed = set[str]()
        try:
            async for page in self._kube.pages(NODE, None):
                for raw in page.items:
                    listed.add(raw["metadata"]["name"])
                    self._mirror.take_node(raw)
        except ApiError as error:
            if error.status != 403:
                raise
            self._reads_nodes = False
            log.warning("nodes may not be read; pods on lost ones are replaced later: %s", error)
        self._mirror.end_list_of_nodes(listed)

    def _count_ghosts(self, resource: Resource, number: int) -> None:
        if number:
            self._metrics.ghosts.labels(resource.kind).inc(number)
            log.info("%d objects of kind %s had gone unnoticed", number, resource.kind)

    @staticmethod
    def _explain(error: ApiError) -> str:
        if error.status == 404:
            return (
                f"the API server does not know {PLURAL}.{GROUP}; "
                "apply manifests/crd/gossiptrainingjobs.yaml"
            )
        return str(error)


def _take(raw: Json, take: Callable[[Json], object]) -> None:
    """Take in one object; one that nobody can make sense of must not hide all others."""
    try:
        take(raw)
    except Exception:
        metadata = raw["metadata"]
        log.exception("%s/%s cannot be read", metadata.get("namespace"), metadata.get("name"))
