"""The ConfigMap with the job document, the file that every process of the job reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gossip_api.job import GossipTrainingJob
from gossip_api.loading import resolved_yaml
from gossip_api.names import JOB_FILE, spec_name
from gossip_operator.manifests.metadata import Manifest, metadata

if TYPE_CHECKING:
    from collections.abc import Mapping


def config_map(job: GossipTrainingJob, *, uid: str, owner: Mapping[str, Any]) -> Manifest:
    """Return the ConfigMap; equal jobs have equal text, byte for byte."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(job, spec_name(job.metadata.name), uid=uid, owner=owner),
        "data": {JOB_FILE: job_document(job)},
    }


def job_document(job: GossipTrainingJob) -> str:
    """Write the job with every default, without what tools annotated it with.

    `gossip run` takes the text as it is. Free-form parts come in the order of their names, for
    the API server keeps no other.
    """
    written = job.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"metadata": {"annotations"}}
    )
    return resolved_yaml(GossipTrainingJob.model_validate(_ordered(written)))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value
