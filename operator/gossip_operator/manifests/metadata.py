"""What all objects of a job have: name, labels, owner, and a digest of what was applied."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from gossip_api import names
from gossip_api.names import APPLIED_HASH_ANNOTATION, JOB_NAME_LABEL, JOB_UID_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob

Manifest = dict[str, Any]
"""A Kubernetes object as JSON has it."""

NAME_LABEL: Final = "app.kubernetes.io/name"
COMPONENT_LABEL: Final = "app.kubernetes.io/component"
OPERATOR_NAME: Final = "gossip-operator"
"""Value of the name label on the operator's own pods."""

_SHARED_LABELS: Final = {
    NAME_LABEL: "gossip-trainer",
    "app.kubernetes.io/managed-by": OPERATOR_NAME,
    "app.kubernetes.io/part-of": "gossip-training",
}


def owner_reference(job: str, uid: str) -> Manifest:
    """Name a job as the owner, so that its objects go with it.

    Without `blockOwnerDeletion`: a job that is deleted in the foreground must not wait for pods on
    a node that is lost.
    """
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": job,
        "uid": uid,
        "controller": True,
    }


def labels(job: str, uid: str) -> dict[str, str]:
    """Label an object as one of the job's."""
    return {
        **_SHARED_LABELS,
        "app.kubernetes.io/instance": job,
        JOB_NAME_LABEL: job,
        JOB_UID_LABEL: uid,
    }


def selector(job: str, uid: str) -> dict[str, str]:
    """Select the job's pods, and not those that a deleted job of the same name left behind."""
    return {JOB_NAME_LABEL: job, JOB_UID_LABEL: uid}


def metadata(
    job: GossipTrainingJob, name: str, *, uid: str, owner: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the metadata of an object of the job."""
    return {
        "name": name,
        "namespace": job.metadata.namespace,
        "labels": labels(job.metadata.name, uid),
        "ownerReferences": [dict(owner)],
    }


def digest(manifest: Manifest) -> str:
    """Digest what is to be applied, the digest's own annotation aside; 16 hexadecimal digits.

    Mappings that are equal have equal digests, however they are ordered.
    """
    text = json.dumps(_without_digest(manifest), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stamped(manifest: Manifest) -> Manifest:
    """Return the manifest with its digest as an annotation."""
    meta = manifest["metadata"]
    annotations = {**meta.get("annotations", {}), APPLIED_HASH_ANNOTATION: digest(manifest)}
    return {**manifest, "metadata": {**meta, "annotations": annotations}}


def _without_digest(manifest: Manifest) -> Manifest:
    meta = dict(manifest["metadata"])
    annotations = dict(meta.pop("annotations", {}))
    annotations.pop(APPLIED_HASH_ANNOTATION, None)
    return {**manifest, "metadata": meta | ({"annotations": annotations} if annotations else {})}
