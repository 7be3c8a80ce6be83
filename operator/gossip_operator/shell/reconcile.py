"""Takes keys from the queue: looks at the job, decides, and has the plan carried out."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from gossip_operator.core.observed import Observed
from gossip_operator.shell.errors import ApiError, NamespaceTerminatingError, NotLeadingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gossip_operator.core.actions import Plan
    from gossip_operator.core.observed import JobView
    from gossip_operator.shell.applier import Applier
    from gossip_operator.shell.inventory import Inventory
    from gossip_operator.shell.metrics import Metrics
    from gossip_operator.shell.mirror import Mirror
    from gossip_operator.shell.progress import Progress
    from gossip_operator.shell.projections import Key
    from gossip_operator.shell.queue import WorkQueue
    from gossip_operator.shell.recorder import Recorder
    from gossip_operator.shell.refusals import Refusals
    from gossip_operator.shell.relist import Relist

log = logging.getLogger(__name__)

GOING_SECONDS: Final = 60.0
"""When to look again at a job that goes with its namespace, in case it is held up there."""


class Reconciler:
    """Brings jobs on, one step of one job at a time for every worker.

    Args:
        decide: makes the plan.
        clock: seconds since the epoch.

    """

    def __init__(  # noqa: PLR0913 - the parts it brings together
        self,
        *,
        decide: Callable[[Observed], Plan],
        queue: WorkQueue[Key],
        mirror: Mirror,
        inventory: Inventory,
        relist: Relist,
        progress: Progress,
        refusals: Refusals,
        recorder: Recorder,
        applier: Applier,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._decide = decide
        self._queue = queue
        self._mirror = mirror
        self._inventory = inventory
        self._relist = relist
        self._progress = progress
        self._refusals = refusals
        self._recorder = recorder
        self._applier = applier
        self._metrics = metrics
        self._clock = clock
        self._known: dict[Key, str] = {}

    async def work(self) -> None:
        """Take keys until the queue is closed; NotLeadingError ends it at once."""
        while (key := await self._queue.take()) is not None:
            try:
                await self._attempt(key)
            finally:
                self._queue.done(key)

    async def _attempt(self, key: Key) -> None:
        """Bring one job on, and see to it that what failed is tried again."""
        result = "error"
        try:
            with self._metrics.reconcile_seconds.time():
                await self._reconcile(key)
            self._queue.succeeded(key)
            result = "success"
        except NotLeadingError:
            raise
        except NamespaceTerminatingError:
            self._queue.succeeded(key)
            self._queue.add_after(key, GOING_SECONDS)
            log.info("%s: nothing more to do: its namespace is being deleted", key)
            result = "success"
        except ApiError as error:
            pause = self._queue.retry(key, at_least=error.retry_after or 0.0)
            log.warning("%s: %s; again in %.1f s", key, error, pause)
        except Exception:  # what is wrong with one job must not stop the others
            pause = self._queue.retry(key)
            log.exception("%s: cannot be brought on; again in %.1f s", key, pause)
        finally:
            self._metrics.reconciles.labels(result).inc()

    async def _reconcile(self, key: Key) -> None:
        job = self._mirror.job(key)
        self._forget_predecessor(key, job)
        if job is None:
            self._queue.forget(key)
            return
        with self._metrics.plan_seconds.time():
            plan = self._decide(self._observe(key, job))
        if plan.look_again is not None:
            self._queue.add_after(key, plan.look_again)
        if not plan.is_empty and not await self._applier.carry_out(job, plan):
            self._queue.add(key)

    def _observe(self, key: Key, job: JobView) -> Observed:
        now = self._clock()
        return Observed(
            now=now,
            job=job,
            pods=self._mirror.pods(job.uid),
            lost_nodes=self._mirror.lost_nodes,
            applied=self._inventory.applied(key, job.uid),
            has_credentials=self._inventory.has_credentials(key, job.uid),
            serves_pod_monitors=self._relist.serves_pod_monitors,
            reports=self._progress.reports(job.uid),
            refusals=self._refusals.current(job, now),
        )

    def _forget_predecessor(self, key: Key, job: JobView | None) -> None:
        """Drop what is remembered of a job that is gone, also when the next of its name is here."""
        uid = self._known.get(key)
        if uid is not None and (job is None or job.uid != uid):
            self._progress.forget(uid)
            self._refusals.forget(uid)
            self._recorder.forget(uid)
            del self._known[key]
        if job is not None:
            self._known[key] = job.uid
