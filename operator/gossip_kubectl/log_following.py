"""The logs of a job's processes as they grow, those of processes to come included.

One thread reads each log and one looks which there are; all put what they find into one queue,
which the caller empties. So lines are whole, and nothing but the caller writes anywhere.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gossip_api.names import CONTAINER
from gossip_kubectl.cluster import job_path, pods_of, pods_path
from gossip_kubectl.errors import InvalidCommand, Refused, Unreachable
from gossip_kubectl.following import Follower
from gossip_kubectl.log_lines import Position, split_stamp
from gossip_kubectl.views import process_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gossip_api.names import Member
    from gossip_kubectl.cluster import Cluster, Object
    from gossip_kubectl.views import ProcessView

MOST_LOGS = 100
"""As many are read at a time: each takes a connection and a thread."""
MOST_WAITING = 10_000
"""Lines that wait to be written, before readers wait too."""
LOOK_SECONDS = 5
"""How often it is looked whether the job is over."""
SILENCE_SECONDS = 60.0
"""How long a process may say nothing before its log is asked for anew: the connection may be dead.
"""
PAUSE_SECONDS = 1.0
LAST_SECONDS = 10.0
"""How long the ends of the logs are waited for."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that a process has said."""

    member: Member
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be said about the logs."""

    text: str


Said = Line | Note


class _End:
    """Nothing more comes."""


@dataclass
class LogFollower:
    """Follows logs until the job is over or gone.

    Attributes:
        job: its name, in the cluster's namespace.
        takes: which processes are meant.
        past: what to ask of each of so many logs at the start: how much of its past. Logs that
            come later are read whole.

    """

    cluster: Cluster
    job: str
    takes: Callable[[ProcessView], bool]
    past: Callable[[int], dict[str, str]]
    _processes: dict[str, ProcessView] = field(default_factory=dict, init=False)
    _readers: dict[str, threading.Thread] = field(default_factory=dict, init=False)
    _said: queue.Queue[Said | _End | Exception] = field(
        default_factory=lambda: queue.Queue(MOST_WAITING), init=False
    )

    def lines(self) -> Iterator[Said]:
        """Yield what is said, in the order in which it comes.

        Raises:
            Refused, Unreachable: the server does not tell which processes there are.
            InvalidCommand: there are too many of them.

        """
        self._start(self._look, "look")
        while not isinstance(said := self._said.get(), _End):
            if isinstance(said, Exception):
                raise said
            yield said

    def _start(self, work: Callable[..., None], name: str, *arguments: object) -> threading.Thread:
        """Work in a thread of its own; what it fails with is raised where the lines are read."""

        def attempt() -> None:
            try:
                work(*arguments)
            except Exception as error:  # noqa: BLE001 - raised again by the reader of the queue
                self._said.put(error)

        thread = threading.Thread(target=attempt, name=name, daemon=True)
        thread.start()
        return thread

    def _look(self) -> None:
        """Have every log read that there is, until the job is over."""
        namespace = self.cluster.namespace
        selector = {"labelSelector": pods_of(self.job)}
        pods = Follower(self.cluster, pods_path(namespace), selector, window_seconds=LOOK_SECONDS)
        for view in pods.views():
            found = self._chosen(view.values())
            self._processes = {process.pod: process for process in found}
            self._read_new([process for process in found if process.has_log])
            if not any(process.is_live for process in found) and self._is_over():
                break
        end = time.monotonic() + LAST_SECONDS
        for thread in self._readers.values():
            thread.join(max(end - time.monotonic(), 0.0))
        self._said.put(_End())

    def _chosen(self, pods: Iterable[Object]) -> list[ProcessView]:
        found = filter(self.takes, filter(None, map(process_view, pods)))
        return sorted(found, key=lambda process: process.member)

    def _read_new(self, processes: list[ProcessView]) -> None:
        """Read the logs that are not read yet."""
        query = {} if self._readers else self.past(len(processes))
        new = [process for process in processes if process.pod not in self._readers]
        num_read = sum(thread.is_alive() for thread in self._readers.values()) + len(new)
        if num_read > MOST_LOGS:
            raise InvalidCommand(
                f"{num_read} processes; at most {MOST_LOGS} logs can be followed at a time: "
                "choose with --role and --rank"
            )
        for process in new:
            self._readers[process.pod] = self._start(self._read, process.pod, process, query)

    def _is_over(self) -> bool:
        try:
            job = self.cluster.find(job_path(self.cluster.namespace, self.job))
        except (Refused, Unreachable):
            return False  # it is looked again soon
        return job is None or bool(job.get("status", {}).get("finished"))

    def _read(self, process: ProcessView, query: dict[str, str]) -> None:
        """Read a log as it grows, through restarts of the container and cut connections."""
        position, complaint = Position(), ""
        while True:
            was_live = self._is_live(process)
            try:
                for line in self._raw_lines(process, query | position.query()):
                    stamp, text = split_stamp(line)
                    if position.passes(stamp):
                        self._said.put(Line(process.member, text))
            except (Refused, Unreachable) as error:
                if isinstance(error, Refused) and error.status == 404:
                    return  # the pod was deleted, and another never has its name
                is_news = isinstance(error, Refused) and str(error) != complaint
                if is_news or not was_live:
                    complaint = str(error)
                    self._said.put(Note(f"{process.member.name}: {complaint}"))
            if not was_live:
                return
            query = {}
            time.sleep(PAUSE_SECONDS)

    def _raw_lines(self, process: ProcessView, query: dict[str, str]) -> Iterator[str]:
        path = f"{pods_path(self.cluster.namespace)}/{process.pod}/log"
        always = {"container": CONTAINER, "follow": "true", "timestamps": "true"}
        return self.cluster.lines(path, seconds=SILENCE_SECONDS, **{**query, **always})

    def _is_live(self, process: ProcessView) -> bool:
        """Tell whether more may come; a pod that is gone says nothing any more."""
        newest = self._processes.get(process.pod)
        return newest is not None and newest.is_live
