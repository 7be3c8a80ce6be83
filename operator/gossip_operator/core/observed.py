"""What the operator sees of one job at one moment; `plan` decides from nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob
    from gossip_api.names import Member
    from gossip_api.process import LastWords, ProcessStatus
    from gossip_api.reasons import Reason
    from gossip_api.status import JobStatus


@dataclass(frozen=True, slots=True)
class JobView:
    """The custom resource.

    Attributes:
        spec: the job as the models read it; None if they refuse it, which the API server's schema
            should have done.
        problem: why they refuse it.
        status: as the operator wrote it last; empty at first.
        created: seconds since the epoch, as all times here.

    """

    namespace: str
    name: str
    uid: str
    generation: int
    spec: GossipTrainingJob | None
    status: JobStatus
    created: float
    problem: str = ""
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a container's process ended.

    Attributes:
        exit_code: 137 for one that was killed.
        reason: Kubernetes' word, such as `OOMKilled`, `Error` or `Completed`.
        at: when.
        last_words: what it left in its termination message, if it is ours.
        last_line: the last line of its log where it left no words and no signal killed it: of a
            training script that failed, the text of its exception.

    """

    exit_code: int
    reason: str
    at: float
    last_words: LastWords | None = None
    last_line: str = ""

    @property
    def said(self) -> str:
        """What it said of its end; empty for nothing."""
        return (self.last_words.reason if self.last_words is not None else self.last_line) or ""


@dataclass(frozen=True, slots=True)
class ContainerView:
    """The container `trainer` of a pod.

    Attributes:
        state: of the container at present.
        reason: why it waits, such as `ErrImagePull` or `CrashLoopBackOff`; empty if it does not.
        message: the same in a sentence.
        restarts: how often it was restarted in place.
        started: when it began to run, if it does.
        ended: how it ended: for good if terminated, else the last time.

    """

    state: Literal["waiting", "running", "terminated"]
    reason: str = ""
    message: str = ""
    restarts: int = 0
    started: float | None = None
    ended: Ended | None = None


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod of the job.

    Attributes:
        deleted: when somebody deleted it: metadata.deletionTimestamp less the grace period; None if
            nobody has.
        reason: of the pod's own failure, such as `Evicted`; empty if none.
        message: the same in a sentence.
        disruption: reason of its condition DisruptionTarget, if that is true: Kubernetes ends the
            pod through no fault of its own.
        gated: it is kept from being scheduled on purpose, by a queue for one.
        unscheduled: why no node was found for it; empty if one was, or while it is gated.
        never_restarts: the kubelet does not start its containers again when they fail.
        trainer: the container that trains; None before the kubelet has said anything of it.

    """

    name: str
    uid: str
    member: Member
    phase: str
    created: float
    ready: bool = False
    deleted: float | None = None
    node: str = ""
    ip: str = ""
    reason: str = ""
    message: str = ""
    disruption: str = ""
    gated: bool = False
    unscheduled: str = ""
    never_restarts: bool = False
    trainer: ContainerView | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something could not be created for the job: the API server refused, or a claim is no use.

    Attributes:
        what: kind and name.
        reason: INVALID_POD_TEMPLATE, QUOTA_EXCEEDED, FORBIDDEN or CREATE_FAILED; for a claim also
            CLAIM_NOT_FOUND or CLAIM_NOT_SHARED.
        message: the API server's own; about a claim, ours.
        until: when to try again.

    """

    what: str
    reason: Reason
    message: str
    until: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a process said about itself when it was asked."""

    status: ProcessStatus
    at: float


@dataclass(frozen=True, slots=True)
class Observed:
    """All that is known of one job.

    Attributes:
        now: seconds since the epoch.
        pods: all of the job's, terminating ones too.
        lost_nodes: nodes that Kubernetes marks unreachable, and since when; empty where they may
            not be read.
        applied: digest of what was last applied, by kind and name of the child; None stands for a
            child that is there but not ours.
        has_credentials: whether the Secret is there.
        serves_pod_monitors: whether the API server knows PodMonitors.
        reports: the newest answers of the processes that were asked lately, by pod name.
        refusals: what the API server refused lately.

    """

    now: float
    job: JobView
    pods: tuple[PodView, ...] = ()
    lost_nodes: Mapping[str, float] = field(default_factory=dict)
    applied: Mapping[tuple[str, str], str | None] = field(default_factory=dict)
    has_credentials: bool = False
    serves_pod_monitors: bool = False
    reports: Mapping[str, Report] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
