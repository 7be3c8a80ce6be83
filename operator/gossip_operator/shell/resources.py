"""The kinds of objects that the operator knows and where the API server serves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gossip_api import names

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object."""

    api_version: str
    kind: str
    plural: str

    @property
    def root(self) -> str:
        """Path of the API group and version."""
        return f"/{'apis' if '/' in self.api_version else 'api'}/{self.api_version}"

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """Path of one object, or of all in a namespace, or of all in the cluster."""
        inside = [f"namespaces/{namespace}"] if namespace is not None else []
        return "/".join([self.root, *inside, self.plural, *filter(None, [name, subresource])])


JOB: Final = Resource(names.API_VERSION, names.KIND, names.PLURAL)
POD: Final = Resource("v1", "Pod", "pods")
NODE: Final = Resource("v1", "Node", "nodes")
CLAIM: Final = Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SECRET: Final = Resource("v1", "Secret", "secrets")
EVENT: Final = Resource("events.k8s.io/v1", "Event", "events")
LEASE: Final = Resource("coordination.k8s.io/v1", "Lease", "leases")
POD_MONITOR: Final = Resource("monitoring.coreos.com/v1", "PodMonitor", "podmonitors")

CHILDREN: Final = (
    Resource("v1", "ServiceAccount", "serviceaccounts"),
    Resource("rbac.authorization.k8s.io/v1", "Role", "roles"),
    Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    Resource("v1", "Service", "services"),
    Resource("v1", "ConfigMap", "configmaps"),
    SECRET,
    Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    POD_MONITOR,
)
"""A job's children other than pods."""

_BY_KIND: Final = {resource.kind: resource for resource in CHILDREN}


def resource_of(manifest: Mapping[str, Any]) -> Resource:
    """Return where a child's manifest belongs; KeyError for a kind that jobs have no child of."""
    return _BY_KIND[manifest["kind"]]
