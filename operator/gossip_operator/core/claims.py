"""Whether the pods of a job can mount the claim that its checkpoints go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gossip_api.reasons import Reason
from gossip_operator.core.trouble import Trouble

if TYPE_CHECKING:
    from gossip_api.job import GossipTrainingJob

NOT_USABLE: Final = frozenset({Reason.CLAIM_NOT_FOUND, Reason.CLAIM_NOT_SHARED})
_FIELD: Final = "spec.checkpoint.storage.claimName"
_BY_SEVERAL: Final = frozenset({"ReadWriteMany"})
_BY_ONE: Final = frozenset({"ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"})
_NEEDED_BY_SEVERAL: Final = (
    "ReadWriteMany, because all workers write, whatever their nodes; name such a claim, or use "
    "spec.checkpoint.storage.url, or set spec.checkpoint.writers to Evaluator"
)
_NEEDED_BY_ONE: Final = "one with which the evaluator can write, such as ReadWriteOnce"


@dataclass(frozen=True, slots=True)
class Claim:
    """What matters of a PersistentVolumeClaim.

    Attributes:
        access_modes: Kubernetes' words for who may mount the volume at once.
        terminating: somebody has deleted it; no new pod gets it.

    """

    access_modes: tuple[str, ...]
    terminating: bool = False


def claim_trouble(job: GossipTrainingJob, claim: Claim | None) -> Trouble | None:
    """Say why the job's pods cannot all mount its claim, None if they can or it names none.

    ReadWriteOnce is for pods of one node, and where pods will run is not known; so only one pod may
    rely on it. `claim` is None where there is none of that name.
    """
    checkpoint = job.spec.checkpoint
    if checkpoint is None or checkpoint.storage.claim_name is None:
        return None
    if claim is None or claim.terminating:
        missing = f"is not in namespace {job.metadata.namespace}"
        what = missing if claim is None else "is being deleted"
        return Trouble(Reason.CLAIM_NOT_FOUND, f"it {what}; create it, or name another in {_FIELD}")
    alone = checkpoint.writers == "Evaluator"
    if (_BY_ONE if alone else _BY_SEVERAL) & set(claim.access_modes):
        return None
    modes = ", ".join(claim.access_modes) or "none"
    needed = _NEEDED_BY_ONE if alone else _NEEDED_BY_SEVERAL
    return Trouble(
        Reason.CLAIM_NOT_SHARED, f"{_FIELD}: its access modes are {modes}; must have {needed}"
    )
