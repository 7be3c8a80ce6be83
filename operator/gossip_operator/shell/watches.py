"""kopf's part: it watches jobs, pods and nodes. The handlers take in what changed and return.

Handlers of `kopf.on.event` write nothing to the objects: no finalizer, no annotation. A job can
always be deleted, with or without the operator.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any, Final, cast

import kopf

from gossip_api.names import GROUP, JOB_NAME_LABEL, PLURAL, VERSION
from gossip_operator.shell.connection import connection_info

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from kopf._core.engines.peering import Identity
    from kubernetes.aio.client import Configuration

    from gossip_operator.shell.crew import Crew
    from gossip_operator.shell.metrics import Metrics
    from gossip_operator.shell.mirror import Mirror
    from gossip_operator.shell.relist import Relist
    from gossip_operator.shell.settings import Settings

LONGEST_BACK_OFF_SECONDS: Final = 10.0


class Watches:
    """Feeds the mirror with what the API server reports.

    Args:
        identity: tells this replica from others; without one kopf asks for the user's name, and a
            container's user need not have any.

    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        identity: str,
        mirror: Mirror,
        relist: Relist,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._configuration = configuration
        self._identity = cast("Identity", identity)
        self._mirror = mirror
        self._relist = relist
        self._settings = settings
        self._metrics = metrics

    async def run(self, crew: Crew, stop: asyncio.Event, started: Callable[[], None]) -> None:
        """Watch until `stop`; `started` is called once kopf has set its signal handlers."""
        namespaces = self._settings.namespaces
        tasks = await kopf.spawn_tasks(
            registry=self._registry(),
            settings=kopf_settings(),
            standalone=True,
            identity=self._identity,
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
        )
        started()
        await kopf.run_tasks(tasks, ignored=crew.everyone)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def log_in(**_: Any) -> kopf.ConnectionInfo:
            return await connection_info(self._configuration)

        @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
        async def job(event: kopf.RawEvent, **_: Any) -> None:
            raw: dict[str, Any] = dict(event["object"])
            gone = event["type"] == "DELETED"
            uid = raw["metadata"]["uid"]
            self._count(
                "job", event, self._mirror.drop_job(uid) if gone else self._mirror.take_job(raw)
            )

        @kopf.on.event("", "v1", "pods", registry=registry)
        async def pod(event: kopf.RawEvent, **_: Any) -> None:
            raw: dict[str, Any] = dict(event["object"])
            gone = event["type"] == "DELETED"
            uid = raw["metadata"]["uid"]
            self._count(
                "pod", event, self._mirror.drop_pod(uid) if gone else self._mirror.take_pod(raw)
            )

        if self._relist.reads_nodes:

            @kopf.on.event("", "v1", "nodes", registry=registry)
            async def node(event: kopf.RawEvent, **_: Any) -> None:
                raw: dict[str, Any] = dict(event["object"])
                gone = event["type"] == "DELETED"
                name = raw["metadata"]["name"]
                self._count(
                    "node",
                    event,
                    self._mirror.drop_node(name) if gone else self._mirror.take_node(raw),
                )

        return registry

    def _count(self, kind: str, event: kopf.RawEvent, used: bool) -> None:  # noqa: FBT001
        self._metrics.watch_events.labels(kind, "true" if used else "false").inc()
        if event["type"] is None:  # of a list: what vanished before it is never reported
            self._relist.soon()


class BackOffs:
    """Pauses between kopf's attempts: growing, with jitter, and without an end.

    With an end kopf gives up a watch, and the operator with it, in a long outage.
    """

    def __iter__(self) -> Iterator[float]:
        pause = 0.5
        while True:
            yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
            pause = min(2 * pause, LONGEST_BACK_OFF_SECONDS)


def kopf_settings() -> kopf.OperatorSettings:
    """Return how kopf should behave: read only, patient, and only our pods."""
    settings = kopf.OperatorSettings()
    settings.watching.label_selectors["", "v1", "pods"] = JOB_NAME_LABEL
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 10
    settings.watching.reconnect_backoff = 0.5
    settings.watching.chunk_size = 500
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = BackOffs()
    settings.networking.enforce_retry_after = True
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.queueing.exit_timeout = 0.1  # a handler of ours never has anything to finish
    settings.process.ultimate_exiting_timeout = None
    return settings


def quieten_kopf() -> None:
    """Keep kopf's logs to what is wrong; it logs every event otherwise."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
