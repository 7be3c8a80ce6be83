"""What the operator remembers of Kubernetes' objects: small records made of raw dictionaries.

Most changes of a pod leave its record as it is, and then nobody has to look at the job again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from gossip_api.errors import InvalidJob
from gossip_api.names import CONTAINER, JOB_NAME_LABEL, parse_pod_name
from gossip_api.objects import job_from_object, status_from_object
from gossip_api.process import LastWords
from gossip_operator.core.claims import Claim
from gossip_operator.core.observed import ContainerView, Ended, JobView, PodView

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_UNREACHABLE = "node.kubernetes.io/unreachable"
_GATED = "SchedulingGated"
_BY_SIGNAL = 128
"""From here on exit codes are of processes that a signal killed, whose logs do not say why."""
_PREPARING = frozenset({"", "PodInitializing", "ContainerCreating"})


class Key(NamedTuple):
    """A job's namespace and name; who has them changes when a job is made anew."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Join them as kubectl does."""
        return f"{self.namespace}/{self.name}"


class OwnedPod(NamedTuple):
    """A pod of a job.

    Attributes:
        job: whose name it bears.
        owner: uid of the job that it belongs to.
        view: the pod.

    """

    job: Key
    owner: str
    view: PodView


def key_of(metadata: Mapping[str, Any]) -> Key:
    """Return the key of a job."""
    return Key(metadata["namespace"], metadata["name"])


def controller_uid(metadata: Mapping[str, Any]) -> str:
    """Return the uid of an object's controlling owner; empty if it has none."""
    owners = metadata.get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def job_view(raw: Mapping[str, Any]) -> JobView:
    """Read a job."""
    metadata = raw["metadata"]
    spec, problem = None, ""
    try:
        spec = job_from_object(raw)
    except InvalidJob as error:
        problem = str(error)
    return JobView(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        spec=spec,
        status=status_from_object(raw.get("status")),
        created=_seconds(metadata["creationTimestamp"]),
        problem=problem,
        terminating="deletionTimestamp" in metadata,
    )


def claim_view(raw: Mapping[str, Any]) -> Claim:
    """Read a PersistentVolumeClaim."""
    return Claim(
        access_modes=tuple((raw.get("spec") or {}).get("accessModes") or ()),
        terminating="deletionTimestamp" in raw["metadata"],
    )


def owned_pod(raw: Mapping[str, Any]) -> OwnedPod | None:
    """Read a pod; None if it is not one that the operator made."""
    metadata = raw["metadata"]
    job = (metadata.get("labels") or {}).get(JOB_NAME_LABEL, "")
    owner = controller_uid(metadata)
    try:
        member = parse_pod_name(job, metadata["name"])
    except ValueError:
        return None
    if not owner:
        return None
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    created = _seconds(metadata["creationTimestamp"])
    view = PodView(
        name=metadata["name"],
        uid=metadata["uid"],
        member=member,
        phase=status.get("phase", "Pending"),
        created=created,
        ready=_holds(conditions.get("Ready")),
        deleted=_deleted(metadata),
        node=spec.get("nodeName") or "",
        ip=status.get("podIP") or "",
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        disruption=_disruption(conditions.get("DisruptionTarget")),
        gated=bool(spec.get("schedulingGates")),
        unscheduled=_unscheduled(conditions.get("PodScheduled")),
        never_restarts=spec.get("restartPolicy") == "Never",
        trainer=_trainer(status, created),
    )
    return OwnedPod(Key(metadata["namespace"], job), owner, view)


def lost_since(node: Mapping[str, Any]) -> float | None:
    """Return since when Kubernetes marks a node unreachable; None if it does not."""
    taints = (node.get("spec") or {}).get("taints") or ()
    times = [_seconds(taint.get("timeAdded")) for taint in taints if taint["key"] == _UNREACHABLE]
    return max(times, default=None)


def _deleted(metadata: Mapping[str, Any]) -> float | None:
    """Return when a pod was deleted: its timestamp is of the end of its grace period."""
    time = metadata.get("deletionTimestamp")
    return _seconds(time) - (metadata.get("deletionGracePeriodSeconds") or 0) if time else None


def _holds(condition: Mapping[str, Any] | None) -> bool:
    return condition is not None and condition.get("status") == "True"


def _disruption(condition: Mapping[str, Any] | None) -> str:
    if condition is None or not _holds(condition):
        return ""
    return condition.get("reason") or "DisruptionTarget"


def _unscheduled(condition: Mapping[str, Any] | None) -> str:
    if condition is None or condition.get("status") != "False":
        return ""
    if condition.get("reason") == _GATED:
        return ""
    return condition.get("message") or condition.get("reason") or "no node was found"


def _trainer(status: Mapping[str, Any], created: float) -> ContainerView | None:
    """Read the container that trains, with the words of an init container that holds it up."""
    containers = status.get("containerStatuses") or ()
    raw = next((one for one in containers if one["name"] == CONTAINER), None)
    if raw is None:
        return None
    state, last = raw.get("state") or {}, raw.get("lastState") or {}
    ended = _ended(state.get("terminated") or last.get("terminated"), created)
    restarts = raw.get("restartCount", 0)
    if "terminated" in state:
        return ContainerView("terminated", restarts=restarts, ended=ended)
    if "running" in state:
        started = _seconds(state["running"].get("startedAt"))
        return ContainerView("running", restarts=restarts, started=started, ended=ended)
    waiting = state.get("waiting") or {}
    reason, message = waiting.get("reason") or "", waiting.get("message") or ""
    if reason in _PREPARING:
        inits = status.get("initContainerStatuses") or ()
        reason, message = _obstacle(inits) or (reason, message)
    return ContainerView("waiting", reason, message, restarts=restarts, ended=ended)


def _obstacle(inits: Iterable[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Say why the first init container that is in trouble is; None if none is."""
    for init in inits:
        waiting = (init.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason") or ""
        if reason not in _PREPARING:
            return reason, f"init container {init['name']}: {waiting.get('message') or reason}"
    return None


def _ended(terminated: Mapping[str, Any] | None, created: float) -> Ended | None:
    if terminated is None:
        return None
    # A container that the kubelet lost track of has no time of its end.
    at = _seconds(terminated.get("finishedAt")) or created
    message = terminated.get("message") or ""
    last_words = LastWords.from_message(message)
    by_itself = 0 < terminated["exitCode"] < _BY_SIGNAL
    return Ended(
        exit_code=terminated["exitCode"],
        reason=terminated.get("reason") or "",
        at=at,
        last_words=last_words,
        last_line=_last_line(message) if by_itself and last_words is None else "",
    )


def _last_line(log: str) -> str:
    """Return the last line of a log that is not an event's, which is a JSON object."""
    lines = (line.strip() for line in reversed(log.splitlines()))
    return next((line for line in lines if line and not line.startswith("{")), "")


def _seconds(time: str | None) -> float:
    """Read Kubernetes' time; 0 if it is not there."""
    return datetime.fromisoformat(time).timestamp() if time else 0.0
