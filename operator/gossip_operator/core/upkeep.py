"""Which of a job's objects other than pods are not there as they should be."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from gossip_api.job import GossipTrainingJob
from gossip_operator.manifests.children import children
from gossip_operator.manifests.metadata import digest, owner_reference

if TYPE_CHECKING:
    from gossip_operator.core.observed import Observed
    from gossip_operator.manifests.metadata import Manifest

MAX_REMEMBERED = 1024


def stale_children(observed: Observed, job: GossipTrainingJob) -> tuple[Manifest, ...]:
    """Return what must be applied, in order of creation."""
    document = job.model_dump_json(by_alias=True, exclude_none=True)
    uid, monitors = observed.job.uid, observed.serves_pod_monitors
    if _digests(document, uid, monitors).items() <= observed.applied.items():
        return ()
    return tuple(
        child
        for child in _children(job, uid, serves_pod_monitors=monitors)
        if observed.applied.get(_name(child)) != digest(child)
    )


@lru_cache(MAX_REMEMBERED)
def _digests(document: str, uid: str, serves_pod_monitors: bool) -> dict[tuple[str, str], str]:  # noqa: FBT001 - a key of the cache
    """Digest a job's children; they are looked at far more often than they change."""
    job = GossipTrainingJob.model_validate_json(document)
    wanted = _children(job, uid, serves_pod_monitors=serves_pod_monitors)
    return {_name(child): digest(child) for child in wanted}


def _children(
    job: GossipTrainingJob, uid: str, *, serves_pod_monitors: bool
) -> tuple[Manifest, ...]:
    owner = owner_reference(job.metadata.name, uid)
    return children(job, uid=uid, owner=owner, serves_pod_monitors=serves_pod_monitors)


def _name(child: Manifest) -> tuple[str, str]:
    return child["kind"], child["metadata"]["name"]
