"""Where pods go: over nodes and zones, away from lost nodes, through a queue of Kueue if wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gossip_api.names import ROLE_LABEL
from gossip_operator.manifests.metadata import selector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gossip_api.job import GossipTrainingJob
    from gossip_api.names import Role

LOST_NODE_SECONDS: Final = 30
"""How long a pod stays on a node that does not answer; Kubernetes' own default is 300."""
_LOST_NODE_TAINTS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_PLACES: Final = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")

_KUEUE: Final = "kueue.x-k8s.io/"
_QUEUE_LABEL: Final = f"{_KUEUE}queue-name"
_GROUP_LABEL: Final = f"{_KUEUE}pod-group-name"
_GROUP_SIZE_ANNOTATION: Final = f"{_KUEUE}pod-group-total-count"
_GATE: Final = f"{_KUEUE}admission"


def spread(job: str, uid: str, role: Role) -> list[dict[str, Any]]:
    """Prefer to put the pods of a role on different nodes, and in different zones."""
    pods = {"matchLabels": {**selector(job, uid), ROLE_LABEL: str(role)}}
    return [
        {
            "maxSkew": 1,
            "topologyKey": place,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": pods,
        }
        for place in _PLACES
    ]


def tolerations(given: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add how long to stay on a lost node, for each kind of loss the user says nothing of.

    A toleration without a key is for all taints, these ones too.
    """
    given = list(given)
    added = [
        {
            "key": taint,
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": LOST_NODE_SECONDS,
        }
        for taint in _LOST_NODE_TAINTS
        if not any(toleration.get("key", "") in {"", taint} for toleration in given)
    ]
    return [*given, *added]


def is_queued(job: GossipTrainingJob) -> bool:
    """Say whether the job names a queue of Kueue."""
    return bool(job.metadata.labels.get(_QUEUE_LABEL))


def queue_labels(job: GossipTrainingJob) -> dict[str, str]:
    """Return the labels that make the job's pods one group in its queue; Kueue's own pass through.

    https://kueue.sigs.k8s.io/docs/tasks/run/plain_pods/
    """
    if not is_queued(job):
        return {}
    passed = {key: value for key, value in job.metadata.labels.items() if key.startswith(_KUEUE)}
    return {**passed, _GROUP_LABEL: job.metadata.name}


def queue_annotations(job: GossipTrainingJob) -> dict[str, str]:
    """Say how many pods the group has.

    Kueue wants the same number of all pods of a group, so the workers of a queued job should be
    made more or fewer only while it is suspended.
    """
    if not is_queued(job):
        return {}
    size = job.spec.workers.replicas + job.spec.num_shards + 1
    return {_GROUP_SIZE_ANNOTATION: str(size)}


def gates(job: GossipTrainingJob, given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Keep a queued pod from being scheduled until Kueue admits it.

    Kueue's webhook adds the gate too; ours holds the pod where that webhook is not set up for
    pods, so that a job never takes resources past its queue.
    """
    wanted = [{"name": _GATE}] if is_queued(job) else []
    return [*map(dict, given), *(gate for gate in wanted if gate not in given)]
