"""The PodMonitor: what tells the Prometheus operator to scrape the job's pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gossip_api.names import (
    INCARNATION_LABEL,
    INDEX_LABEL,
    JOB_NAME_LABEL,
    ROLE_LABEL,
    peers_name,
)
from gossip_operator.manifests.discovery import METRICS_PORT
from gossip_operator.manifests.metadata import Manifest, metadata, selector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob


def pod_monitor(job: GossipTrainingJob, *, uid: str, owner: Mapping[str, Any]) -> Manifest:
    """Return the PodMonitor.

    It has the job's own labels too, because a Prometheus picks its monitors by labels such as
    `release` that only its owner knows.
    """
    meta = metadata(job, peers_name(job.metadata.name), uid=uid, owner=owner)
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {**meta, "labels": {**job.metadata.labels, **meta["labels"]}},
        "spec": {
            "selector": {"matchLabels": selector(job.metadata.name, uid)},
            "podTargetLabels": [JOB_NAME_LABEL, ROLE_LABEL, INDEX_LABEL, INCARNATION_LABEL],
            "podMetricsEndpoints": [{"port": METRICS_PORT, "path": "/metrics"}],
        },
    }
