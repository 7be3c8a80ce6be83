"""Where a member finds the job's checkpoints: in a claim that is mounted into its pod, or a bucket.

Several jobs may share a claim or a bucket, also ones of the same name one after the other; each has
a folder of its own in it. The claim is mounted as a whole: with `subPath` the kubelet would make
that folder, root's alone on file systems that know no group of the pod, and a job could not begin
from the model of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gossip_operator.manifests.volumes import Mount

if TYPE_CHECKING:
    from gossip_api.job import GossipTrainingJob
    from gossip_api.names import Role

CHECKPOINT_FOLDER: Final = "/var/gossip-checkpoints"


def job_folder(job: GossipTrainingJob, uid: str) -> str:
    """Name the job's folder; a namespace and a job's name have no dots, so no two are alike."""
    return f"{job.metadata.namespace}.{job.metadata.name}.{uid}"


def checkpoint_root(job: GossipTrainingJob, role: Role, *, uid: str) -> str | None:
    """Return path or URL of the job's folder, as a process sees it; None for one that saves none.

    A job that is suspended and resumed keeps its uid, and so finds what it saved.
    """
    checkpoint = job.spec.checkpoint
    if checkpoint is None or not checkpoint.is_written_by(role):
        return None
    root = checkpoint.storage.url or CHECKPOINT_FOLDER
    return f"{root.rstrip('/')}/{job_folder(job, uid)}"


def checkpoint_mounts(job: GossipTrainingJob, role: Role) -> list[Mount]:
    """Mount the claim, if there is one, where the process saves."""
    checkpoint = job.spec.checkpoint
    if checkpoint is None or not checkpoint.is_written_by(role):
        return []
    claim = checkpoint.storage.claim_name
    if claim is None:
        return []
    source = {"persistentVolumeClaim": {"claimName": claim}}
    return [Mount("gossip-checkpoints", CHECKPOINT_FOLDER, source, read_only=False)]


def lies_at(job: GossipTrainingJob, where: str) -> str:
    """Say for people outside the pods where something lies, given how a process names it.

    A path in the claim becomes `pvc://claim/path`; a URL stays.
    """
    storage = job.spec.checkpoint.storage if job.spec.checkpoint is not None else None
    inside = where.removeprefix(f"{CHECKPOINT_FOLDER}/")
    if storage is None or storage.claim_name is None or inside == where:
        return where
    return f"pvc://{storage.claim_name}/{inside}"
