"""The headless Service: it makes Kubernetes keep the list of the job's pods that peers watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gossip_api.names import peers_name
from gossip_operator.manifests.metadata import Manifest, metadata, selector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob

PEERS_PORT: Final = "peers"
"""Name of the port that processes of the job exchange models at."""
METRICS_PORT: Final = "metrics"
"""Name of the port for `/status`, `/readyz` and `/metrics`."""


def service(job: GossipTrainingJob, *, uid: str, owner: Mapping[str, Any]) -> Manifest:
    """Return the Service; pods that are not ready yet have a name too, for they look for peers."""
    ports = {
        PEERS_PORT: job.spec.discovery.port,
        METRICS_PORT: job.spec.monitoring.metrics_port,
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(job, peers_name(job.metadata.name), uid=uid, owner=owner),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": selector(job.metadata.name, uid),
            "ports": [
                {"name": name, "port": port, "targetPort": port, "protocol": "TCP"}
                for name, port in ports.items()
            ],
        },
    }


def peers_source(job: GossipTrainingJob) -> str:
    """Say to a process where its peers are found, as `ProcessEnvironment.peers` has it."""
    name, namespace = peers_name(job.metadata.name), job.metadata.namespace
    if job.spec.discovery.source == "DNS":
        return f"dns:{name}.{namespace}.svc"
    return f"endpointslices:{namespace}/{name}"
