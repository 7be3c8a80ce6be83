"""Events of the jobs: equal ones are counted, not repeated, and there are never too many."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from gossip_api import names
from gossip_operator.shell.errors import ApiError, NamespaceTerminatingError
from gossip_operator.shell.pacing import TokenBucket
from gossip_operator.shell.resources import EVENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from gossip_operator.core.actions import Notice
    from gossip_operator.core.observed import JobView
    from gossip_operator.shell.kube import Json, Kube

log = logging.getLogger(__name__)

REPORTER: Final = "gossip.training/operator"
NOTE_LIMIT: Final = 1024
MAX_REMEMBERED: Final = 4096
MAX_WAITING: Final = 1000
SERIES_SECONDS: Final = 600.0
"""An equal notice later than this begins a new Event; Kubernetes drops Events after an hour."""
JOB_BURST: Final = 50
JOB_RATE: Final = 0.2
"""Events that one job may bring about at once, and per second in the long run."""


class _Subject(NamedTuple):
    job_uid: str
    notice: Notice


@dataclass(slots=True)
class _Series:
    """An Event that was written, and how often its notice came since."""

    namespace: str
    name: str
    count: int
    last: float


class Recorder:
    """Writes notices as Events in the background; one that cannot be written is only logged.

    Args:
        instance: which replica reports.
        dropped: told of every notice that nobody will see.
        clock: seconds since the epoch.

    """

    def __init__(
        self,
        kube: Kube,
        *,
        instance: str,
        dropped: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kube = kube
        self._instance = instance
        self._dropped = dropped
        self._clock = clock
        self._waiting: asyncio.Queue[tuple[JobView, Notice]] = asyncio.Queue(MAX_WAITING)
        self._series: OrderedDict[_Subject, _Series] = OrderedDict()
        self._buckets: dict[str, TokenBucket] = {}

    def tell(self, job: JobView, notice: Notice) -> None:
        """Have a notice written soon."""
        bucket = self._buckets.setdefault(job.uid, TokenBucket(JOB_RATE, JOB_BURST))
        if not bucket.try_take() or self._waiting.full():
            self._dropped()
            return
        self._waiting.put_nowait((job, notice))

    def forget(self, uid: str) -> None:
        """Drop all that is remembered of a job."""
        self._buckets.pop(uid, None)
        for subject in [subject for subject in self._series if subject.job_uid == uid]:
            del self._series[subject]

    async def run(self) -> None:
        """Write notices as they come; NotLeadingError ends it."""
        while True:
            job, notice = await self._waiting.get()
            try:
                await self._write(job, notice)
            except NamespaceTerminatingError:
                log.debug("%s/%s: no event: the namespace is going", job.namespace, job.name)
            except ApiError as error:
                self._dropped()
                log.warning(
                    "%s/%s: the event %s cannot be written: %s",
                    job.namespace,
                    job.name,
                    notice.reason,
                    error,
                )
            finally:
                self._waiting.task_done()

    async def drain(self) -> None:
        """Wait until everything that was told is written."""
        await self._waiting.join()

    async def _write(self, job: JobView, notice: Notice) -> None:
        subject, now = _Subject(job.uid, notice), self._clock()
        series = self._series.get(subject)
        if series is not None and now - series.last < SERIES_SECONDS:
            series.count, series.last = series.count + 1, now
            body = {"series": {"count": series.count, "lastObservedTime": _micro_time(now)}}
            await self._kube.patch(EVENT, series.namespace, series.name, body)
            return
        event = self._event(job, notice, now)
        await self._kube.create(EVENT, job.namespace, event)
        self._series[subject] = _Series(job.namespace, event["metadata"]["name"], 1, now)
        self._series.move_to_end(subject)
        if len(self._series) > MAX_REMEMBERED:
            self._series.popitem(last=False)

    def _event(self, job: JobView, notice: Notice, now: float) -> Json:
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"namespace": job.namespace, "name": f"{job.name}.{time.time_ns():x}"},
            "eventTime": _micro_time(now),
            "reportingController": REPORTER,
            "reportingInstance": self._instance,
            "action": notice.reason,
            "reason": notice.reason,
            "type": notice.type,
            "note": notice.note[:NOTE_LIMIT],
            "regarding": {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "namespace": job.namespace,
                "name": job.name,
                "uid": job.uid,
            },
        }


def _micro_time(now: float) -> str:
    """Write a time as Kubernetes' MicroTime wants it: always with microseconds."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds")[:-6] + "Z"
