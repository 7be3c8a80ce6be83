"""What is to be done for a job: the answer of `plan`, as data that the shell carries out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gossip_api.names import Member
    from gossip_api.status import JobStatus
    from gossip_operator.manifests.metadata import Manifest


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell as an Event of the job.

    Attributes:
        reason: one word of the closed list.
        note: a sentence; equal ones are counted, not repeated.

    """

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Create the pod of a member; never applied, for a pod that is being deleted could be hit.

    Attributes:
        notice: to be told once the pod is there, whatever becomes of the rest of the plan: the next
            plan finds the pod and does not tell of it.

    """

    member: Member
    manifest: Manifest
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete one pod, and only that one: the uid is a precondition."""

    name: str
    uid: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, in this order: deletes, applies, credentials, creates, status, notices.

    Attributes:
        delete: pods to delete.
        apply: children whose desired state differs from what was last applied; server-side apply.
        issue_credentials: whether to make keys and certificate and create the Secret.
        create: pods to create; stops at the first refusal.
        status: the whole status to write; None if it stands there already.
        notices: what to tell.
        delete_job: whether the job's time to live is over.
        look_again: seconds after which to plan again though nothing happens; None for never.

    """

    delete: tuple[DeletePod, ...] = ()
    apply: tuple[Manifest, ...] = ()
    issue_credentials: bool = False
    create: tuple[CreatePod, ...] = ()
    status: JobStatus | None = None
    notices: tuple[Notice, ...] = ()
    delete_job: bool = False
    look_again: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (
            self.delete
            or self.apply
            or self.issue_credentials
            or self.create
            or self.status
            or self.notices
            or self.delete_job
        )
