"""All objects of a job other than its pods and its Secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gossip_operator.manifests.access import access, uses_api
from gossip_operator.manifests.discovery import service
from gossip_operator.manifests.disruption import worker_budget
from gossip_operator.manifests.document import config_map
from gossip_operator.manifests.metadata import Manifest, stamped
from gossip_operator.manifests.monitoring import pod_monitor
from gossip_operator.manifests.network import network_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob


def children(
    job: GossipTrainingJob, *, uid: str, owner: Mapping[str, Any], serves_pod_monitors: bool
) -> tuple[Manifest, ...]:
    """Return the objects in order of creation, each with the digest of its content.

    Where peers are found by DNS the pods need no rights, and the operator need not be allowed to
    give any.
    """
    wanted = [
        *(access(job, uid=uid, owner=owner) if uses_api(job) else ()),
        service(job, uid=uid, owner=owner),
        config_map(job, uid=uid, owner=owner),
        network_policy(job, uid=uid, owner=owner),
        worker_budget(job, uid=uid, owner=owner),
    ]
    if serves_pod_monitors and job.spec.monitoring.pod_monitor == "Auto":
        wanted.append(pod_monitor(job, uid=uid, owner=owner))
    return tuple(stamped(manifest) for manifest in wanted)
