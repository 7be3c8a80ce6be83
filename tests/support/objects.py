"""Jobs and pods as the API server shows them, for tests of what reads them."""

from typing import Any

from gossip_api import names
from gossip_api.names import Role, pod_name

CREATED = "2026-01-02T03:04:05Z"
CREATED_SECONDS = 1767323045.0

Raw = dict[str, Any]


def raw_job(
    name: str = "digits", *, uid: str = "job-1", version: int = 1, **metadata: object
) -> Raw:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "namespace": "default",
            "name": name,
            "uid": uid,
            "resourceVersion": str(version),
            "generation": 1,
            "creationTimestamp": CREATED,
            **metadata,
        },
        "spec": {
            "strategy": {"type": "Gossip"},
            "training": {
                "model": {"name": "mlp"},
                "data": {"name": "digits"},
                "batchSize": 8,
                "budget": {"epochs": 1},
                "optimizer": {"name": "sgd", "learningRate": 0.1},
            },
        },
    }


def raw_pod(
    index: int = 0,
    *,
    uid: str = "",
    version: int = 1,
    job: str = "digits",
    owner: str = "job-1",
    status: Raw | None = None,
    **metadata: object,
) -> Raw:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "default",
            "name": pod_name(job, Role.WORKER, index, 0),
            "uid": uid or f"pod-{index}",
            "resourceVersion": str(version),
            "creationTimestamp": CREATED,
            "labels": {names.JOB_NAME_LABEL: job},
            "ownerReferences": [owned_by(owner, job)],
            **metadata,
        },
        "spec": {"nodeName": "node-1"},
        "status": status or {"phase": "Pending"},
    }


def raw_child(
    name: str,
    *,
    uid: str = "",
    version: int = 1,
    job: str = "digits",
    owner: str | None = "job-1",
    digest: str = "abc",
) -> Raw:
    """The metadata of a child."""
    return {
        "namespace": "default",
        "name": name,
        "uid": uid or f"uid-of-{name}",
        "resourceVersion": str(version),
        "labels": {names.JOB_NAME_LABEL: job},
        "annotations": {names.APPLIED_HASH_ANNOTATION: digest},
        "ownerReferences": [owned_by(owner, job)] if owner is not None else [],
    }


def owned_by(uid: str, job: str = "digits") -> Raw:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": job,
        "uid": uid,
        "controller": True,
    }
