"""Asks the jobs' processes how they fare: a bounded sample of each job, in turn."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp
from pydantic import ValidationError

from gossip_api.names import Role
from gossip_api.process import ProcessStatus
from gossip_operator.core.observed import Report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gossip_operator.core.observed import JobView, PodView
    from gossip_operator.shell.mirror import Mirror
    from gossip_operator.shell.projections import Key

log = logging.getLogger(__name__)

SAMPLE: Final = 8
PERIOD_SECONDS: Final = 10.0
EARLY_PERIOD_SECONDS: Final = 2.0
EARLY_SECONDS: Final = 30.0
"""So long after its first process runs a job is asked more often: people look at it then."""
ANSWER_SECONDS: Final = 2.0
ANSWER_LIMIT: Final = 64 * 1024
CONCURRENCY: Final = 32
FRESH_SECONDS: Final = 60.0
"""Older answers no longer count."""
TICK_SECONDS: Final = 0.5

Ask = Callable[[str], "asyncio.Future[bytes]"]


@dataclass(slots=True)
class _Asked:
    """What is remembered of one job."""

    since: float
    due: float
    turn: int = 0
    reports: dict[str, Report] = field(default_factory=dict)


class Progress:
    """Asks on and on, and has a job looked at when answers came.

    Args:
        answered: called with the key of a job that gave new answers.
        note: told of every question's result: ok, unreachable, invalid.
        clock: seconds since the epoch.

    """

    def __init__(
        self,
        mirror: Mirror,
        *,
        answered: Callable[[Key], None],
        note: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._mirror = mirror
        self._answered = answered
        self._note = note
        self._clock = clock
        self._asked: dict[str, _Asked] = {}
        self._at_once = asyncio.Semaphore(CONCURRENCY)

    def reports(self, uid: str) -> Mapping[str, Report]:
        """Return the newest answers of a job's processes, by pod name; none that is old."""
        asked = self._asked.get(uid)
        if asked is None:
            return {}
        oldest = self._clock() - FRESH_SECONDS
        return {name: report for name, report in asked.reports.items() if report.at >= oldest}

    def forget(self, uid: str) -> None:
        """Drop all that is remembered of a job."""
        self._asked.pop(uid, None)

    async def run(self) -> None:
        """Ask for ever."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(limit=CONCURRENCY, force_close=True)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            while True:
                rounds = [self._ask_job(session, key, job, pods) for key, job, pods in self._due()]
                await asyncio.gather(*rounds)
                await asyncio.sleep(TICK_SECONDS)

    def _due(self) -> list[tuple[Key, JobView, Sequence[PodView]]]:
        """Find the jobs whose turn it is, and whom to ask."""
        now, due = self._clock(), []
        for key in self._mirror.keys:
            job = self._mirror.job(key)
            if job is None or job.spec is None or job.status.finished:
                continue
            pods = [pod for pod in self._mirror.pods(job.uid) if _can_answer(pod)]
            if not pods:
                continue
            asked = self._asked.setdefault(job.uid, _Asked(since=now, due=now))
            if asked.due <= now:
                early = now - asked.since < EARLY_SECONDS
                asked.due = now + (EARLY_PERIOD_SECONDS if early else PERIOD_SECONDS)
                due.append((key, job, self._sample(asked, pods)))
        return due

    @staticmethod
    def _sample(asked: _Asked, pods: Sequence[PodView]) -> Sequence[PodView]:
        """Choose the evaluator, then servers, then workers, those that were not asked lately."""
        leading = [pod for pod in pods if pod.member.role is Role.EVALUATOR]
        leading += [pod for pod in pods if pod.member.role is Role.SERVER]
        leading = leading[: SAMPLE // 2]
        workers = [pod for pod in pods if pod.member.role is Role.WORKER]
        size = min(SAMPLE - len(leading), len(workers))
        chosen = [workers[(asked.turn + place) % len(workers)] for place in range(size)]
        asked.turn += size
        return leading + chosen

    async def _ask_job(
        self, session: aiohttp.ClientSession, key: Key, job: JobView, pods: Sequence[PodView]
    ) -> None:
        assert job.spec is not None
        port = job.spec.spec.monitoring.metrics_port
        answers = await asyncio.gather(*(self._ask(session, pod, port) for pod in pods))
        asked = self._asked.get(job.uid)
        if asked is None:  # the job went meanwhile
            return
        oldest = self._clock() - FRESH_SECONDS
        asked.reports = {name: one for name, one in asked.reports.items() if one.at >= oldest}
        news = {pod.name: one for pod, one in zip(pods, answers, strict=True) if one is not None}
        asked.reports |= news
        if news:
            self._answered(key)

    async def _ask(self, session: aiohttp.ClientSession, pod: PodView, port: int) -> Report | None:
        """Ask one process; None if it does not answer, or not as the one it should be."""
        host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        async with self._at_once:
            try:
                url = f"http://{host}:{port}/status"
                async with session.get(url, allow_redirects=False) as response:
                    content = await _read_all(response.content)
            except (aiohttp.ClientError, OSError) as error:
                log.debug("%s does not answer: %s", pod.name, error)
                self._note("unreachable")
                return None
        try:
            status = ProcessStatus.model_validate_json(content)
        except ValidationError as error:
            log.debug("%s answers what is no status: %s", pod.name, error)
            self._note("invalid")
            return None
        member = pod.member
        if (status.role, status.rank, status.incarnation) != (
            member.role,
            member.index,
            member.incarnation,
        ):
            self._note("invalid")  # its address is another process's by now
            return None
        self._note("ok")
        return Report(status, self._clock())


def _can_answer(pod: PodView) -> bool:
    return bool(pod.ip) and pod.trainer is not None and pod.trainer.state == "running"


async def _read_all(content: aiohttp.StreamReader) -> bytes:
    """Read an answer up to its limit; what is cut off is no status then."""
    try:
        return await content.readexactly(ANSWER_LIMIT)
    except asyncio.IncompleteReadError as error:
        return error.partial
