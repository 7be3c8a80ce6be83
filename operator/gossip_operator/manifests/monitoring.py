"""The PodMonitor: what tells the Prometheus operator to scrape the job's pods."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from gossip_api.names import INDEX_LABEL, JOB_NAME_LABEL, ROLE_LABEL, peers_name
from gossip_operator.manifests.discovery import METRICS_PORT
from gossip_operator.manifests.metadata import Manifest, metadata, selector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob

IDENTITY: Final = {JOB_NAME_LABEL: "job_name", ROLE_LABEL: "role", INDEX_LABEL: "rank"}
"""The pods' labels that tell whose a series is, and the series' labels that they become."""
SAME_FOR_ALL: Final = ("container", "endpoint")
"""Labels of the Prometheus operator's that tell no two series of a job apart."""


def pod_monitor(job: GossipTrainingJob, *, uid: str, owner: Mapping[str, Any]) -> Manifest:
    """Return the PodMonitor.

    It has the job's own labels too, because a Prometheus picks its monitors by labels such as
    `release` that only its owner knows. Series keep the label `pod`: a rank's next pod may be there
    before the last one has gone, and two must not write to one series.
    """
    meta = metadata(job, peers_name(job.metadata.name), uid=uid, owner=owner)
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {**meta, "labels": {**job.metadata.labels, **meta["labels"]}},
        "spec": {
            "selector": {"matchLabels": selector(job.metadata.name, uid)},
            "podMetricsEndpoints": [
                {
                    "port": METRICS_PORT,
                    "path": "/metrics",
                    "relabelings": [
                        *(_renamed(label, target) for label, target in IDENTITY.items()),
                        {"action": "labeldrop", "regex": "|".join(SAME_FOR_ALL)},
                    ],
                }
            ],
        },
    }


def _renamed(label: str, target: str) -> dict[str, Any]:
    found = f"__meta_kubernetes_pod_label_{re.sub(r'[^a-zA-Z0-9_]', '_', label)}"
    return {"action": "replace", "sourceLabels": [found], "targetLabel": target}
