"""What is mounted into the container `trainer`: job document, keys, token, and places to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gossip_api.names import spec_name, tls_name
from gossip_operator.manifests.access import uses_api

if TYPE_CHECKING:
    from gossip_api.job import GossipTrainingJob

JOB_FOLDER: Final = "/etc/gossip/job"
TLS_FOLDER: Final = "/etc/gossip/tls"
OUTPUT_FOLDER: Final = "/var/gossip"
TEMPORARY_FOLDER: Final = "/tmp"  # noqa: S108 - in a container with a volume of its own there
_TOKEN_FOLDER: Final = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
_TOKEN_LIFETIME: Final = 3607
"""Seconds. The kubelet renews it; this odd number makes API servers that extend tokens' lives for
old clients leave out the warnings about it."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume and the place it is mounted at.

    Attributes:
        source: the volume less its name.
        read_only: whether the process only reads there.

    """

    name: str
    path: str
    source: dict[str, Any]
    read_only: bool = True

    @property
    def volume(self) -> dict[str, Any]:
        """The volume, for the pod."""
        return {"name": self.name, **self.source}

    @property
    def volume_mount(self) -> dict[str, Any]:
        """The mount, for the container."""
        mount = {"name": self.name, "mountPath": self.path}
        return {**mount, "readOnly": True} if self.read_only else mount


def needed_mounts(job: GossipTrainingJob) -> list[Mount]:
    """List what a process cannot do without, wherever the user mounts something else."""
    name = job.metadata.name
    mounts = [Mount("gossip-job", JOB_FOLDER, {"configMap": {"name": spec_name(name)}})]
    if job.spec.security.mutual_tls:
        secret = {"secretName": tls_name(name), "defaultMode": 0o440}
        mounts.append(Mount("gossip-tls", TLS_FOLDER, {"secret": secret}))
    if uses_api(job):
        mounts.append(Mount("gossip-token", _TOKEN_FOLDER, {"projected": {"sources": _token()}}))
    return mounts


def writable_mounts() -> list[Mount]:
    """List where a process may write, its root being read-only.

    What is in `/var/gossip` outlives a restart of the container. Shared memory is for the loader
    processes of PyTorch; it counts as the container's memory.
    """
    return [
        Mount("gossip-output", OUTPUT_FOLDER, {"emptyDir": {}}, read_only=False),
        Mount("gossip-tmp", TEMPORARY_FOLDER, {"emptyDir": {}}, read_only=False),
        Mount("gossip-shm", "/dev/shm", {"emptyDir": {"medium": "Memory"}}, read_only=False),  # noqa: S108 - as above
    ]


def _token() -> list[dict[str, Any]]:
    """Return what Kubernetes mounts by itself into pods that may ask the API server."""
    namespace = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    return [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": _TOKEN_LIFETIME}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {"downwardAPI": {"items": [namespace]}},
    ]
