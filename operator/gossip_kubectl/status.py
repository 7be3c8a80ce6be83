"""`kubectl gossip status`: all jobs, or all about one, once or again and again."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.text import Text

from gossip_kubectl.cluster import events_path, job_path, jobs_path, pods_of, pods_path
from gossip_kubectl.errors import OK, InvalidCommand, NotFound
from gossip_kubectl.steps import with_steps
from gossip_kubectl.tables import job_page, jobs_table
from gossip_kubectl.views import event_views, job_view, process_views
from gossip_kubectl.watching import Glance, print_changes, show_live

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gossip_kubectl.cluster import Cluster
    from gossip_kubectl.views import EventView, JobView, ProcessView

SCRIPT_WIDTH = 200
"""Columns of a table that does not go to a terminal."""


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """What the command line asks for; without a name it is all jobs."""

    name: str | None
    everywhere: bool
    watch: bool
    output: Literal["text", "json"]


def show_status(cluster: Cluster, request: StatusRequest) -> int:
    """Print how the jobs stand; return the exit code."""
    if request.name is not None and request.everywhere:
        raise InvalidCommand("-A is for all jobs; name no job, or its namespace with -n")
    if request.output == "json" and request.watch:
        raise InvalidCommand("--watch is for people; scripts use `kubectl get gtj -w -o json`")
    if request.output == "json":
        sys.stdout.write(f"{json.dumps(_document(cluster, request))}\n")
    elif not request.watch:
        console = Console() if sys.stdout.isatty() else Console(width=SCRIPT_WIDTH)
        console.print(_page(cluster, request, _jobs(cluster, request)))
    elif sys.stdout.isatty():
        show_live(lambda: _glance(cluster, request), Console())
    else:
        print_changes(lambda: _jobs(cluster, request), ends=request.name is not None)
    return OK


def _glance(cluster: Cluster, request: StatusRequest) -> Glance:
    jobs = _jobs(cluster, request)
    is_over = request.name is not None and all(job.is_over for job in jobs)
    return Glance(_page(cluster, request, jobs), is_over)


def _page(cluster: Cluster, request: StatusRequest, jobs: list[JobView]) -> RenderableType:
    now = datetime.now(UTC)
    if request.name is not None:
        (job,) = jobs
        return job_page(job, *_around(cluster, job), now)
    if not jobs:
        place = "anywhere" if request.everywhere else f"in namespace {cluster.namespace}"
        return Text(f"No jobs {place}. Submit one: kubectl gossip submit FILE")
    return jobs_table(jobs, now, with_namespace=request.everywhere)


def _jobs(cluster: Cluster, request: StatusRequest) -> list[JobView]:
    found = map(job_view, _raw_jobs(cluster, request))
    return sorted(found, key=lambda job: (job.namespace, job.name))


def _raw_jobs(cluster: Cluster, request: StatusRequest) -> list[dict[str, Any]]:
    """Read the one job that is asked for, or all of them."""
    if request.name is None:
        return cluster.items(jobs_path(None if request.everywhere else cluster.namespace))
    raw = cluster.find(job_path(cluster.namespace, request.name))
    if raw is None:
        raise NotFound(
            f"there is no job {request.name} in namespace {cluster.namespace}; "
            "`kubectl gossip status -A` lists all jobs"
        )
    return [raw]


def _around(cluster: Cluster, job: JobView) -> tuple[list[ProcessView], list[EventView]]:
    """Read a job's processes and its Events."""
    pods = cluster.items(pods_path(job.namespace), labelSelector=pods_of(job.name))
    own = [pod for pod in pods if _is_owned(pod, job.uid)]
    events = cluster.items(events_path(job.namespace), fieldSelector=f"regarding.uid={job.uid}")
    return with_steps(cluster, job.namespace, process_views(own)), event_views(events)


def _document(cluster: Cluster, request: StatusRequest) -> dict[str, Any]:
    """Return what scripts get: the jobs' statuses as they are, and the processes of one."""
    raws = _raw_jobs(cluster, request)
    if request.name is None:
        return {"jobs": [_summary(raw) for raw in raws]}
    (raw,) = raws
    processes, events = _around(cluster, job_view(raw))
    return _summary(raw) | {
        "processes": [
            {
                "name": process.member.name,
                "role": process.member.role,
                "index": process.member.index,
                "incarnation": process.member.incarnation,
                "pod": process.pod,
                "state": process.state,
                "node": process.node,
                "step": process.step,
                "restarts": process.restarts,
            }
            for process in processes
        ],
        "events": [
            {"time": event.time.isoformat(), "reason": event.reason, "note": event.text}
            for event in events
        ],
    }


def _summary(raw: dict[str, Any]) -> dict[str, Any]:
    metadata = raw["metadata"]
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "strategy": raw.get("spec", {}).get("strategy", {}).get("type"),
        "status": raw.get("status", {}),
    }


def _is_owned(pod: dict[str, Any], uid: str) -> bool:
    """Tell the job's pods from those of a deleted one of the same name."""
    return any(owner.get("uid") == uid for owner in pod["metadata"].get("ownerReferences") or ())
