"""The NetworkPolicy: who may connect to the job's pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gossip_api.names import peers_name
from gossip_operator.manifests.metadata import (
    NAME_LABEL,
    OPERATOR_NAME,
    Manifest,
    metadata,
    selector,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob
    from gossip_api.monitoring import LabelSelector


def network_policy(job: GossipTrainingJob, *, uid: str, owner: Mapping[str, Any]) -> Manifest:
    """Admit the job's own pods at every port, scrapers and the operator at the metrics port.

    Every port, because collectives choose theirs as they please. What the pods connect to is left
    open: data sets, checkpoint stores, DNS and the API server are wherever the user keeps them, a
    policy cannot tell names, and a list that is wrong would stop training. Who must restrict that
    adds a policy of type Egress; policies add up, type by type.
    """
    own = {"podSelector": {"matchLabels": selector(job.metadata.name, uid)}}
    operator = {
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {NAME_LABEL: OPERATOR_NAME}},
    }
    metrics = {"port": job.spec.monitoring.metrics_port, "protocol": "TCP"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(job, peers_name(job.metadata.name), uid=uid, owner=owner),
        "spec": {
            **own,
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [own]},
                {"from": [_scrapers(job), operator], "ports": [metrics]},
            ],
        },
    }


def _scrapers(job: GossipTrainingJob) -> dict[str, Any]:
    allowed = job.spec.monitoring.scrape_from
    return {
        "namespaceSelector": _selector(allowed.namespace_selector),
        "podSelector": _selector(allowed.pod_selector),
    }


def _selector(selector: LabelSelector) -> dict[str, Any]:
    return selector.model_dump(mode="json", by_alias=True, exclude_defaults=True)
