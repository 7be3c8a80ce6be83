"""`kubectl gossip wait`: until a job is complete, or whatever else is waited for."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gossip_api.objects import status_to_object
from gossip_kubectl.cluster import jobs_path
from gossip_kubectl.errors import TIMED_OUT, TimedOut
from gossip_kubectl.following import Follower
from gossip_kubectl.verdict import Goal, Verdict, judge
from gossip_kubectl.views import job_view
from gossip_kubectl.words import standing, state

if TYPE_CHECKING:
    from datetime import timedelta

    from gossip_kubectl.cluster import Cluster
    from gossip_kubectl.views import JobView


@dataclass(frozen=True, slots=True)
class WaitRequest:
    """What the command line asks for."""

    namespace: str
    name: str
    goal: Goal
    timeout: timedelta
    output: Literal["text", "json"]


def wait(cluster: Cluster, request: WaitRequest) -> int:
    """Wait, tell on stderr how the job stands meanwhile, and return the exit code."""
    waiting = _Waiting(cluster, request)
    try:
        verdict = waiting.verdict()
    except TimedOut as error:
        limit = request.timeout.total_seconds()
        told = f"is not {request.goal} after {limit:g} s: {waiting.so_far}"
        verdict = Verdict(TIMED_OUT, "; ".join(filter(None, (told, str(error)))))
    if request.output == "json":
        sys.stdout.write(f"{json.dumps(waiting.document(verdict))}\n")
    else:
        stream = sys.stderr if verdict.code else sys.stdout
        stream.write(f"{request.namespace}/{request.name} {verdict.message}\n")
    return verdict.code


@dataclass
class _Waiting:
    """A wait, and the job as it was last seen."""

    cluster: Cluster
    request: WaitRequest
    _seen: JobView | None = field(default=None, init=False)

    @property
    def so_far(self) -> str:
        return "it was never seen" if self._seen is None else f"it is {standing(self._seen)}"

    def verdict(self) -> Verdict:
        """Follow the job until something can be said; TimedOut at the deadline."""
        seconds = self.request.timeout.total_seconds()
        follower = Follower(
            self.cluster,
            jobs_path(self.request.namespace),
            {"fieldSelector": f"metadata.name={self.request.name}"},
            deadline=time.monotonic() + seconds,
            away_seconds=seconds,
        )
        for view in follower.views():
            raw = view.get(self.request.name)
            job = None if raw is None else job_view(raw)
            uid = None if self._seen is None else self._seen.uid
            verdict = judge(self.request.goal, job, uid)
            if job is not None:
                self._tell_change(job)
                self._seen = job
            if verdict is not None:
                return verdict
        raise AssertionError("views end with an exception only")

    def document(self, verdict: Verdict) -> dict[str, object]:
        """Return the verdict for scripts."""
        return {
            "name": self.request.name,
            "namespace": self.request.namespace,
            "exitCode": verdict.code,
            "message": verdict.message,
            "status": status_to_object(self._seen.status) if self._seen is not None else None,
        }

    def _tell_change(self, job: JobView) -> None:
        """Say how a job stands that has come to another state and is not over."""
        is_told = self._seen is not None and state(self._seen) == state(job)
        if self.request.output == "text" and not is_told and not job.is_over:
            sys.stderr.write(f"{job.namespace}/{job.name}: {standing(job)}\n")
            sys.stderr.flush()
