"""Jobs, processes and Events as people look at them, made of the API server's objects. Pure.

What an object lacks is None or empty; nothing here fails on an object of another version.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gossip_api.names import CONTAINER, JOB_NAME_LABEL, Member, Role, parse_pod_name
from gossip_api.objects import status_from_object
from gossip_api.process import LastWords

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gossip_api.status import Condition, JobStatus

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobView:
    """A job."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    strategy: str
    status: JobStatus

    def condition(self, kind: str) -> Condition | None:
        """Return a condition by its type."""
        return next((c for c in self.status.conditions if c.type == kind), None)

    def holds(self, kind: str) -> bool:
        """Tell whether a condition is true of the job as it is now asked for."""
        found = self.condition(kind)
        if found is None or found.status != "True":
            return False
        return found.observed_generation is None or found.observed_generation >= self.generation

    @property
    def is_over(self) -> bool:
        """Whether the job has succeeded or failed."""
        return self.holds("Complete") or self.holds("Failed")


@dataclass(frozen=True, slots=True)
class ProcessView:
    """A process of a job, by its pod.

    Attributes:
        pod: the pod's name.
        state: one word, or one and why.
        is_live: whether it runs or may come to run.
        has_log: whether its container has ever been started.
        node: where it runs.
        restarts: how often its container was started again.
        since: when its state began, as far as that is known.
        step: its last step, of one that has ended.

    """

    member: Member
    pod: str
    state: str
    is_live: bool
    has_log: bool
    node: str | None
    restarts: int
    since: datetime | None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class EventView:
    """An Event that regards a job."""

    time: datetime
    is_warning: bool
    reason: str
    text: str


def job_view(raw: Object) -> JobView:
    """Look at a job."""
    metadata, spec = raw["metadata"], raw.get("spec", {})
    return JobView(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
        strategy=spec.get("strategy", {}).get("type", ""),
        status=status_from_object(raw.get("status")),
    )


def process_views(pods: Iterable[Object]) -> list[ProcessView]:
    """Look at a job's processes: all that live, else the newest incarnation of each place.

    Workers come first, then servers, then the evaluator, in order of rank.
    """
    found = sorted(filter(None, map(process_view, pods)), key=lambda p: _place(p.member))
    newest = {(p.member.role, p.member.index): p.member for p in found}
    return [p for p in found if p.is_live or newest[p.member.role, p.member.index] == p.member]


def process_view(pod: Object) -> ProcessView | None:
    """Look at a pod; None if it is not one of a job's own."""
    metadata, status = pod["metadata"], pod.get("status", {})
    try:
        member = parse_pod_name(metadata["labels"][JOB_NAME_LABEL], metadata["name"])
    except (KeyError, ValueError):
        return None
    container = _container(status)
    word, since = _state(pod, container)
    return ProcessView(
        member=member,
        pod=metadata["name"],
        state=word,
        is_live=status.get("phase") not in {"Succeeded", "Failed"},
        has_log=bool(container.get("containerID") or container.get("lastState")),
        node=pod.get("spec", {}).get("nodeName"),
        restarts=container.get("restartCount", 0),
        since=since or _time(metadata.get("creationTimestamp")),
        step=_last_step(container),
    )


def event_views(events: Iterable[Object]) -> list[EventView]:
    """Look at Events, oldest first."""
    return sorted(map(_event_view, events), key=lambda event: event.time)


def _event_view(raw: Object) -> EventView:
    told = (
        (raw.get("series") or {}).get("lastObservedTime")
        or raw.get("eventTime")
        or raw.get("deprecatedLastTimestamp")
        or raw["metadata"].get("creationTimestamp")
    )
    return EventView(
        time=_time(told) or datetime.fromtimestamp(0, UTC),
        is_warning=raw.get("type") == "Warning",
        reason=raw.get("reason", ""),
        text=raw.get("note", ""),
    )


def _container(status: Object) -> Object:
    """Return the status of the container that trains."""
    statuses: list[Object] = status.get("containerStatuses") or []
    return next((one for one in statuses if one.get("name") == CONTAINER), {})


def _state(pod: Object, container: Object) -> tuple[str, datetime | None]:
    """Return a pod's state in a few words, and when it began."""
    status, ready = pod.get("status", {}), _condition(pod, "Ready")
    if ended := container.get("state", {}).get("terminated"):
        went_well = ended.get("exitCode") == 0
        word = "finished" if went_well else f"failed: {_end(ended)}"
        return word, _time(ended.get("finishedAt"))
    if status.get("phase") in {"Succeeded", "Failed"}:
        return f"failed: {status.get('reason', 'Unknown')}", _time(ready.get("lastTransitionTime"))
    if leaves := _time(pod["metadata"].get("deletionTimestamp")):
        grace = pod["metadata"].get("deletionGracePeriodSeconds") or 0
        return "leaving", leaves - timedelta(seconds=grace)
    if "running" not in container.get("state", {}):
        return _waiting(pod, container), None
    is_ready = ready.get("status") == "True"
    return ("ready" if is_ready else "not ready"), _time(ready.get("lastTransitionTime"))


def _waiting(pod: Object, container: Object) -> str:
    """Say what a container that does not run waits for, where Kubernetes says it."""
    scheduled = _condition(pod, "PodScheduled")
    if reason := container.get("state", {}).get("waiting", {}).get("reason"):
        return f"waiting: {reason}"
    if scheduled.get("status") == "False":
        return f"waiting: {scheduled.get('reason', 'Unschedulable')}"
    return "waiting"


def _end(ended: Object) -> str:
    """Say why a container ended badly."""
    words = LastWords.from_message(ended.get("message", ""))
    if words is not None and words.reason:
        return words.reason
    reason = ended.get("reason", "Error")
    return f"exit code {ended.get('exitCode')}" if reason == "Error" else str(reason)


def _last_step(container: Object) -> int | None:
    """Return the step that the container's last words name, if it has ended."""
    ended = container.get("state", {}).get("terminated") or {}
    words = LastWords.from_message(ended.get("message", ""))
    return None if words is None else words.step


def _condition(pod: Object, kind: str) -> Object:
    conditions: list[Object] = pod.get("status", {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind), {})


def _place(member: Member) -> tuple[int, int, int]:
    return list(Role).index(member.role), member.index, member.incarnation


def _time(text: str | None) -> datetime | None:
    """Read a time of the API server, which is in UTC."""
    return None if text is None else datetime.fromisoformat(text)
