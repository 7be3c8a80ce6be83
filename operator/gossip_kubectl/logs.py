"""`kubectl gossip logs`: what the processes of a job say, each line with whose it is."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from gossip_api.names import CONTAINER
from gossip_kubectl.cluster import job_path, pods_of, pods_path
from gossip_kubectl.errors import OK, TROUBLE, InvalidCommand, NotFound, Refused, Unreachable
from gossip_kubectl.log_following import Line, LogFollower, Note, Said
from gossip_kubectl.views import process_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from gossip_api.names import Role
    from gossip_kubectl.cluster import Cluster
    from gossip_kubectl.views import ProcessView

TAIL_OF_MANY = 20
SECONDS = 30.0
COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green")


@dataclass(frozen=True, slots=True)
class LogsRequest:
    """What the command line asks for.

    Attributes:
        tail: lines per process; None is everything of one, and the last few of several.

    """

    name: str
    role: Role | None
    rank: int | None
    follow: bool
    previous: bool
    tail: int | None

    def takes(self, process: ProcessView) -> bool:
        """Tell whether somebody wants to read this one's log."""
        member = process.member
        return self.role in {None, member.role} and self.rank in {None, member.index}

    def past(self, num_processes: int) -> dict[str, str]:
        """Return how much to ask of the log of each of so many processes."""
        tail = self.tail
        if tail is None and num_processes > 1:
            tail = TAIL_OF_MANY
        return {} if tail is None or tail < 0 else {"tailLines": str(tail)}


def show_logs(cluster: Cluster, request: LogsRequest) -> int:
    """Print the logs; return the exit code."""
    if request.follow and request.previous:
        raise InvalidCommand("--previous is over and done; leave out --follow")
    if cluster.find(job_path(cluster.namespace, request.name)) is None:
        where = f"in namespace {cluster.namespace}"
        raise NotFound(f"there is no job {request.name} {where}; see kubectl gossip status -A")
    write = _Writer()
    if request.follow:
        for said in LogFollower(cluster, request.name, request.takes, request.past).lines():
            write(said)
        return OK
    chosen = _processes(cluster, request)
    if not chosen:
        raise NotFound(f"job {request.name} has no such process now; see runPolicy.cleanPods")
    query = {"container": CONTAINER} | request.past(len(chosen))
    if request.previous:
        query["previous"] = "true"
    readable = [process for process in chosen if _print(cluster, process, query, write)]
    return OK if readable else TROUBLE


def _processes(cluster: Cluster, request: LogsRequest) -> list[ProcessView]:
    pods = cluster.items(pods_path(cluster.namespace), labelSelector=pods_of(request.name))
    chosen = filter(request.takes, filter(None, map(process_view, pods)))
    return sorted(chosen, key=lambda process: process.member)


def _print(
    cluster: Cluster, process: ProcessView, query: dict[str, str], write: Callable[[Said], None]
) -> bool:
    """Print what there is of a log; False, and why, if there is none to be had."""
    path = f"{pods_path(cluster.namespace)}/{process.pod}/log"
    try:
        for text in cluster.lines(path, seconds=SECONDS, **query):
            write(Line(process.member, text))
    except (Refused, Unreachable) as error:
        write(Note(f"{process.member.name}: {error}"))
        return False
    return True


class _Writer:
    """Writes lines to standard output, each with whose it is, and notes to standard error."""

    def __init__(self) -> None:
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def __call__(self, said: Said) -> None:
        if isinstance(said, Note):
            sys.stderr.write(f"({said.text})\n")
            return
        prefix = f"{said.member.name} |"
        if self._coloured:
            prefix = typer.style(prefix, fg=COLOURS[said.member.index % len(COLOURS)])
        sys.stdout.write(f"{prefix} {said.text}\n")
        sys.stdout.flush()
