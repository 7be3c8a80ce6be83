"""Serves one page of metrics for a whole local run, made anew whenever somebody asks for it.

It knows the run from its event records alone: who started and where each serves its own page. One
that has left is shown as it was at its end, or as it was when it was last asked.
"""

from __future__ import annotations

import http.client
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest

from gossip_api.metrics import jobs
from gossip_api.metrics.instruments import CONTENT_TYPE
from gossip_api.metrics.snapshot import Snapshot
from gossip_api.names import Member, Role, parse_member_name
from gossip_trainer.launch.job_series import NAMESPACE, job_series
from gossip_trainer.launch.last_pages import last_page_of
from gossip_trainer.launch.merged_pages import MergedPages
from gossip_trainer.observability.events import Left, Started
from gossip_trainer.observability.page_server import Page, PageServer
from gossip_trainer.report.history import History, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from gossip_api.job import GossipTrainingJob
    from gossip_api.metrics.metric import Sample
    from gossip_trainer.launch.local_run import State as Outcome
    from gossip_trainer.observability.events import Record

log: Final = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"
FETCH_SECONDS: Final = 2.0  # how long a process may take to answer
FETCHERS: Final = 8
LAST_PAGE: Final = "metrics.prom"


class RunMetrics:
    """The page of one run.

    Args:
        job: what is run.
        out: the run directory.
        port: where to serve on loopback; 0 lets the system choose.

    Raises:
        OSError: the port cannot be had.

    """

    def __init__(self, job: GossipTrainingJob, out: Path, port: int) -> None:
        self._job = job
        self._out = out
        self._created = time.time()
        self._completed: float | None = None
        self._outcome: Outcome | None = None
        self._history = History()
        # Read by other threads, and so replaced, not changed.
        self._members: Mapping[tuple[Role, int], Member] = {}  # the newest of each role and rank
        self._serving: Mapping[Member, str] = {}  # where those that live answer
        self._known: dict[Member, str] = {}  # each one's newest page
        self._registry = CollectorRegistry()
        self._registry.register(Snapshot(jobs.IDENTITY, self._job_series))
        self._registry.register(MergedPages(NAMESPACE, job.metadata.name, self._pages))
        self._fetchers = ThreadPoolExecutor(FETCHERS, thread_name_prefix="fetch")
        self._server = PageServer(HOST, port, self._answer)

    @property
    def address(self) -> str:
        """Where it is served."""
        return f"http://{self._server.address}/metrics"

    def note(self, records: Iterable[Record]) -> None:
        """Take in what was recorded; called by one thread."""
        new = list(records)
        self._history = fold(new, self._history).latest()
        for record in new:
            match record:
                case Started(source=source, status=status) if status:
                    member = parse_member_name(source)
                    self._members = {**self._members, (member.role, member.index): member}
                    self._serving = {**self._serving, member: status}
                case Left(member=name):
                    there = self._serving.items()
                    self._serving = {each: where for each, where in there if each.name != name}
                case _:
                    pass

    def write(self) -> bytes:
        """Return the page as it is now; safe from any thread."""
        return generate_latest(self._registry)

    def conclude(self, outcome: Outcome) -> None:
        """Leave the last page in the run directory."""
        self._outcome, self._completed = outcome, time.time()
        (self._out / LAST_PAGE).write_bytes(self.write())

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.close()
        self._fetchers.shutdown(cancel_futures=True)

    def _answer(self, path: str) -> Page:
        if path == "/metrics":
            return Page(self.write(), CONTENT_TYPE)
        return Page(b"there is /metrics\n", status=HTTPStatus.NOT_FOUND)

    def _job_series(self) -> Iterator[Sample]:
        return job_series(
            self._job,
            self._history,
            created=self._created,
            completed=self._completed,
            outcome=self._outcome,
        )

    def _pages(self) -> Mapping[Member, str]:
        """Return the page of the newest process of each role and rank, where there is one."""
        members, serving = self._members.values(), self._serving
        asked = {
            member: self._fetchers.submit(_fetch, serving[member])
            for member in members
            if member in serving
        }
        for member in members:
            page = asked[member].result() if member in asked else None
            page = page or self._last_page(member)
            if page is not None:
                self._known[member] = page
        return {member: self._known[member] for member in members if member in self._known}

    def _last_page(self, member: Member) -> str | None:
        try:
            return last_page_of(self._out, member).read_text()
        except FileNotFoundError:
            return None


def _fetch(address: str) -> str | None:
    """Ask a process for its page; None if it does not answer."""
    host, _, port = address.rpartition(":")
    try:
        with closing(http.client.HTTPConnection(host, int(port), timeout=FETCH_SECONDS)) as line:
            line.request("GET", "/metrics")
            answer = line.getresponse()
            return answer.read().decode() if answer.status == HTTPStatus.OK else None
    except (OSError, http.client.HTTPException) as error:
        log.debug("%s does not answer: %s", address, error)
        return None
