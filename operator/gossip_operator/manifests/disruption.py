"""The PodDisruptionBudget: how many workers a drain of nodes must leave alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gossip_api.names import ROLE_LABEL, Role
from gossip_operator.manifests.metadata import Manifest, metadata, selector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob


def worker_budget(job: GossipTrainingJob, *, uid: str, owner: Mapping[str, Any]) -> Manifest:
    """Keep `minReplicas` workers, but always let one go.

    A worker is replaced after it has gone, never before, so a budget that holds all of them would
    block drains for ever. Servers and the evaluator have none for the same reason. Workers that
    are not ready may always be evicted: they train nothing.
    """
    workers = job.spec.workers
    name = f"{job.metadata.name}-workers"
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(job, name, uid=uid, owner=owner),
        "spec": {
            "minAvailable": min(workers.min_replicas, workers.replicas - 1),
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {
                "matchLabels": {**selector(job.metadata.name, uid), ROLE_LABEL: str(Role.WORKER)}
            },
        },
    }
