"""A pod of the job: the user's template, hardened where it says nothing, with a name in the job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gossip_api.names import (
    CONTAINER,
    INCARNATION_LABEL,
    INDEX_LABEL,
    ROLE_LABEL,
    peers_name,
    pod_name,
)
from gossip_operator.manifests.access import uses_api
from gossip_operator.manifests.checkpoints import checkpoint_mounts
from gossip_operator.manifests.container import trainer_container
from gossip_operator.manifests.metadata import COMPONENT_LABEL, Manifest, metadata
from gossip_operator.manifests.scheduling import (
    gates,
    queue_annotations,
    queue_labels,
    spread,
    tolerations,
)
from gossip_operator.manifests.template import pod_template, trainer
from gossip_operator.manifests.volumes import Mount, needed_mounts, writable_mounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob
    from gossip_api.names import Member

USER: Final = 65532
"""Whom processes run as; nobody in particular, as distroless images have it."""
GRACE_SECONDS: Final = 60
"""How long a pod may take to hand over what it has when it must go."""

_SPEC: Final = {
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
    "terminationGracePeriodSeconds": GRACE_SECONDS,
}


def pod(
    job: GossipTrainingJob,
    member: Member,
    *,
    uid: str,
    owner: Mapping[str, Any],
    fresh: bool,
    default_image: str | None = None,
) -> Manifest:
    """Return the pod of a member.

    `fresh` says whether nobody trains yet, so that a member without a checkpoint may begin from the
    seed;
    `default_image` is for a template that names none.
    """
    template = pod_template(job, member.role, default_image)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(job, member, template["metadata"], uid=uid, owner=owner),
        "spec": _spec(job, member, template, uid=uid, fresh=fresh),
    }


def _metadata(
    job: GossipTrainingJob,
    member: Member,
    given: Mapping[str, Any],
    *,
    uid: str,
    owner: Mapping[str, Any],
) -> dict[str, Any]:
    """Mark the pod with what the user says and, above that, with whose it is."""
    name = pod_name(job.metadata.name, member.role, member.index, member.incarnation)
    meta = metadata(job, name, uid=uid, owner=owner)
    meta["labels"] = {
        **given.get("labels", {}),
        **queue_labels(job),
        **meta["labels"],
        COMPONENT_LABEL: str(member.role),
        ROLE_LABEL: str(member.role),
        INDEX_LABEL: str(member.index),
        INCARNATION_LABEL: str(member.incarnation),
    }
    if annotations := {**given.get("annotations", {}), **queue_annotations(job)}:
        meta["annotations"] = annotations
    return meta


def _spec(
    job: GossipTrainingJob, member: Member, template: Manifest, *, uid: str, fresh: bool
) -> dict[str, Any]:
    given, name = template["spec"], job.metadata.name
    saved = checkpoint_mounts(job, member.role)
    mounts = [*_mounts(job, trainer(template)), *saved]
    spec = {
        **_SPEC,
        "topologySpreadConstraints": spread(name, uid, member.role),
        **({"serviceAccountName": peers_name(name)} if uses_api(job) else {}),
        **given,
        "securityContext": _security(given.get("securityContext", {}), claims=bool(saved)),
        "tolerations": tolerations(given.get("tolerations", ())),
        "volumes": [*(mount.volume for mount in mounts), *given.get("volumes", ())],
        "hostname": f"{name}-{member.role}-{member.index}",
        "subdomain": peers_name(name),
        # with Always a process that is done would begin again
        "restartPolicy": "Never" if given.get("restartPolicy") == "Never" else "OnFailure",
    }
    if waits_for := gates(job, given.get("schedulingGates", [])):
        spec["schedulingGates"] = waits_for
    spec["containers"] = [
        trainer_container(container, job, member, uid=uid, fresh=fresh, mounts=mounts)
        if container["name"] == CONTAINER
        else container
        for container in given["containers"]
    ]
    return spec


def _mounts(job: GossipTrainingJob, container: Mapping[str, Any]) -> list[Mount]:
    """Mount what is needed, and what is written where the user mounts nothing."""
    taken = {mount.get("mountPath", "").rstrip("/") for mount in container.get("volumeMounts", ())}
    return [
        *needed_mounts(job),
        *(mount for mount in writable_mounts() if mount.path not in taken),
    ]


def _security(given: Mapping[str, Any], *, claims: bool) -> dict[str, Any]:
    """Fill in whom the processes run as; who asks for root gets it, if the cluster allows it.

    What lies in a claim is given to the pod's group only once: it grows, and to go through all of
    it would delay every pod.
    """
    defaults: dict[str, Any] = {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if claims:
        defaults["fsGroupChangePolicy"] = "OnRootMismatch"
    if given.get("runAsUser") == 0:
        del defaults["runAsNonRoot"]
    return {**defaults, **given}
