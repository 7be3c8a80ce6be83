"""The operator as a process: gets ready, waits to lead, leads, and leaves in good order."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from gossip_operator.core.plan import plan
from gossip_operator.shell.applier import Applier
from gossip_operator.shell.connection import log_in
from gossip_operator.shell.crew import Crew
from gossip_operator.shell.health import HealthServer
from gossip_operator.shell.inventory import Inventory
from gossip_operator.shell.kube import Kube
from gossip_operator.shell.lease import Elector
from gossip_operator.shell.metrics import Metrics
from gossip_operator.shell.mirror import Mirror
from gossip_operator.shell.pacing import TokenBucket
from gossip_operator.shell.progress import Progress
from gossip_operator.shell.queue import WorkQueue
from gossip_operator.shell.reconcile import Reconciler
from gossip_operator.shell.recorder import Recorder
from gossip_operator.shell.refusals import Refusals
from gossip_operator.shell.relist import Relist
from gossip_operator.shell.watches import Watches, quieten_kopf

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes.aio.client import ApiClient

    from gossip_operator.shell.projections import Key
    from gossip_operator.shell.settings import Settings

log = logging.getLogger(__name__)

FINISH_SECONDS: Final = 5.0
"""How long writes under way may take when the operator is told to stop."""
EVENTS_SECONDS: Final = 2.0
"""How long after that to wait for Events that were told of."""
STUCK_PERIODS: Final = 3
LEASE_SECONDS: Final = 120.0
"""A replica that stands by and has not reached the API server for so long is stuck."""


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; raises what ended it otherwise."""
    quieten_kopf()
    stop = asyncio.Event()
    catch_signals(stop)
    api = await log_in(settings.kubeconfig)
    try:
        await _Operator(settings, api, stop).run()
    finally:
        await api.close()  # type: ignore[no-untyped-call]


def catch_signals(stop: asyncio.Event) -> None:
    """Set `stop` on SIGTERM and SIGINT; called again after kopf has taken them for itself."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


class _Operator:
    """All parts of one replica."""

    def __init__(self, settings: Settings, api: ApiClient, stop: asyncio.Event) -> None:
        self._settings = settings
        self._api = api
        self._stop = stop
        self._crew = Crew()
        self._is_synced = False
        self._metrics = metrics = Metrics()
        self._identity = identity = f"{socket.gethostname()}_{os.getpid()}_{time.time_ns():x}"
        self._elector: Elector | None = None
        seconds_to_write: Callable[[], float] = lambda: math.inf  # noqa: E731
        if settings.lease is not None:
            own = Kube(api, note=metrics.note_request, deadline_seconds=5.0)
            self._elector = Elector(own, settings.lease, identity)
            seconds_to_write = self._elector.seconds_left
        kube = Kube(
            api,
            bucket=TokenBucket(settings.requests_per_second, settings.request_burst),
            note=metrics.note_request,
            seconds_to_write=seconds_to_write,
        )
        self._queue: WorkQueue[Key] = WorkQueue(waited=metrics.queue_seconds.observe)
        self._mirror = mirror = Mirror(self._queue.add)
        inventory, refusals = Inventory(self._queue.add), Refusals()
        self._relist = Relist(
            kube, mirror=mirror, inventory=inventory, settings=settings, metrics=metrics
        )
        self._recorder = Recorder(kube, instance=identity, dropped=metrics.dropped_events.inc)
        self._progress = Progress(
            mirror,
            answered=self._queue.add,
            note=lambda result: metrics.probes.labels(result).inc(),
        )
        applier = Applier(
            kube,
            mirror=mirror,
            inventory=inventory,
            refusals=refusals,
            recorder=self._recorder,
            clock=time.time,
            did=lambda action: metrics.actions.labels(action).inc(),
        )
        self._reconciler = Reconciler(
            decide=partial(plan, default_image=settings.default_image),
            queue=self._queue,
            mirror=mirror,
            inventory=inventory,
            relist=self._relist,
            progress=self._progress,
            refusals=refusals,
            recorder=self._recorder,
            applier=applier,
            metrics=metrics,
        )
        self._watches = Watches(
            api.configuration,
            identity=identity,
            mirror=mirror,
            relist=self._relist,
            settings=settings,
            metrics=metrics,
        )
        self._show()

    async def run(self) -> None:
        """Serve health, wait to lead, lead, and give the Lease back."""
        health = HealthServer(
            self._settings.health_address,
            metrics=self._metrics,
            complaint=self._complaint,
            is_ready=self._is_ready,
        )
        await health.start()
        try:
            if self._elector is not None:
                self._crew.spawn("elector", self._elector.run())
                if await self._crew.first(self._stop.wait(), self._elector.wait()) == 0:
                    return
            await self._lead()
        finally:
            await self._crew.dismiss()
            if self._elector is not None:
                await self._elector.release()
            await health.close()

    async def _lead(self) -> None:
        if await self._crew.first(self._stop.wait(), self._relist.begin()) == 0:
            return
        self._is_synced = True
        log.info("found %d jobs and %d pods", len(self._mirror.keys), self._mirror.num_pods)
        crew, end_of_watches = self._crew, asyncio.Event()
        take_signals = partial(catch_signals, self._stop)
        crew.spawn("watches", self._watches.run(crew, end_of_watches, take_signals))
        crew.spawn("relist", self._relist.run())
        crew.spawn("progress", self._progress.run())
        crew.spawn("recorder", self._recorder.run())
        workers = [f"reconciler {number}" for number in range(self._settings.reconcilers)]
        for worker in workers:
            crew.spawn(worker, self._reconciler.work())
        await crew.first(self._stop.wait())
        log.info("stopping")
        self._queue.close()
        await crew.finish(workers, FINISH_SECONDS)
        crew.spawn("last events", self._recorder.drain())
        await crew.finish(["last events"], EVENTS_SECONDS)
        end_of_watches.set()
        await crew.finish(["watches"], FINISH_SECONDS)

    @property
    def _leads(self) -> bool:
        return self._elector is None or self._elector.is_leader

    def _complaint(self) -> str | None:
        elector = self._elector
        if elector is not None and not elector.is_leader:
            silence = elector.seconds_without_answer
            return f"no word of the Lease for {silence:.0f} s" if silence > LEASE_SECONDS else None
        silence = self._relist.seconds_since
        if silence > STUCK_PERIODS * self._settings.relist_seconds:
            return f"nothing could be listed for {silence:.0f} s"
        return None

    def _is_ready(self) -> bool:
        """Tell whether all is known; a replica that stands by is as ready as it can be."""
        return self._is_synced or not self._leads

    def _show(self) -> None:
        metrics = self._metrics
        metrics.queue_depth.set_function(lambda: len(self._queue))
        metrics.jobs.set_function(lambda: len(self._mirror.keys))
        metrics.pods.set_function(lambda: self._mirror.num_pods)
        metrics.leader.set_function(lambda: float(self._leads))
        # Of two replicas that tell of the same jobs, one would be wrong.
        metrics.show_jobs(lambda: self._mirror.jobs() if self._leads else ())
