"""What the job's pods may ask of the API server: EndpointSlices of their namespace, only that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gossip_api.names import Role, peers_name
from gossip_operator.manifests.metadata import Manifest, metadata
from gossip_operator.manifests.template import pod_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob

_RBAC = "rbac.authorization.k8s.io"


def uses_api(job: GossipTrainingJob) -> bool:
    """Say whether the job's pods ask the API server for their peers."""
    return job.spec.discovery.source == "EndpointSlices"


def access(
    job: GossipTrainingJob, *, uid: str, owner: Mapping[str, Any]
) -> tuple[Manifest, Manifest, Manifest]:
    """Return ServiceAccount, Role and RoleBinding.

    A template may name a service account of its own, for a cloud's storage say; it is bound too.
    """
    name = peers_name(job.metadata.name)
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(job, name, uid=uid, owner=owner),
        "automountServiceAccountToken": False,
    }
    role = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role",
        "metadata": metadata(job, name, uid=uid, owner=owner),
        "rules": [
            {
                "apiGroups": ["discovery.k8s.io"],
                "resources": ["endpointslices"],
                "verbs": ["get", "list", "watch"],
            }
        ],
    }
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata(job, name, uid=uid, owner=owner),
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
        "subjects": [
            {"kind": "ServiceAccount", "name": account, "namespace": job.metadata.namespace}
            for account in _accounts(job)
        ],
    }
    return account, role, binding


def _accounts(job: GossipTrainingJob) -> list[str]:
    specs = [pod_template(job, role)["spec"] for role in Role]
    own = {spec["serviceAccountName"] for spec in specs if spec.get("serviceAccountName")}
    return sorted(own | {peers_name(job.metadata.name)})
