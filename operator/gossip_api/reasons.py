"""Every word that a condition or an Event gives as its reason: two closed lists.

A member's `meaning` says when it is used; the reference of the job's status is made of them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class _Word(StrEnum):
    """A word for programs, with its meaning for people."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member


class Reason(_Word):
    """Why a condition is as it is."""

    # Accepted
    SPEC_VALID = "SpecValid", "The job can be carried out."
    INVALID_SPEC = "InvalidSpec", "The operator cannot make sense of the job."
    INVALID_POD_TEMPLATE = "InvalidPodTemplate", "The API server refuses pods of this template."
    CLAIM_NOT_FOUND = "ClaimNotFound", "The claim for the checkpoints is not there."
    CLAIM_NOT_SHARED = "ClaimNotShared", "Not all pods that save checkpoints can mount the claim."

    # WorkersReady and Degraded
    ALL_READY = "AllReady", "As many workers as asked for are up."
    WAITING_FOR_PODS = "WaitingForPods", "Pods are being made or started."
    UNSCHEDULABLE = "Unschedulable", "No node has room for a pod, or none that it tolerates."
    IMAGE_ERROR = "ImageError", "A pod's image cannot be pulled."
    CONTAINER_ERROR = "ContainerError", "A pod's container cannot be made or started."
    QUOTA_EXCEEDED = "QuotaExceeded", "The namespace's quota allows no further pod."
    FORBIDDEN = "Forbidden", "The API server forbids the operator to make a pod, or the pod itself."
    CREATE_FAILED = "CreateFailed", "The API server could not make what the job needs."
    CRASH_LOOP = "CrashLoop", "A process fails again and again and waits before it is tried anew."
    NODE_LOST = "NodeLost", "A pod's node does not answer any more."
    BELOW_DESIRED = "BelowDesired", "Fewer workers than `replicas` are up; the others train on."
    BELOW_MINIMUM = "BelowMinimum", "Fewer workers than `minReplicas` are up."

    # Progressing
    NOT_STARTED = "NotStarted", "No worker has trained yet."
    TRAINING = "Training", "Workers train."
    STALLED = "Stalled", "Workers are up, but for a while none has taken a step."
    FINISHING = "Finishing", "Training is over; the result is being made."
    FINISHED = "Finished", "The job is over."

    # Suspended
    NOT_SUSPENDED = "NotSuspended", "The job may run."
    SUSPENDING = "Suspending", "The job was suspended; its pods are ending."
    SUSPENDED = "Suspended", "The job was suspended and has no pods."

    # Complete
    RESULT_RECORDED = "ResultRecorded", "The job's model was tested and saved."
    NOT_FINISHED = "NotFinished", "The job has no result yet."

    # Failed
    NOT_FAILED = "NotFailed", "The job has not failed."
    USER_ERROR = "UserError", "A process found the job at fault, so that trying again is in vain."
    DIVERGED = "Diverged", "The loss was not a finite number; a lower learning rate may help."
    TOO_FEW_WORKERS = "TooFewWorkers", "Fewer workers than `minReplicas` can still be kept."
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded", "`minReplicas` were not up in time."
    ACTIVE_DEADLINE_EXCEEDED = "ActiveDeadlineExceeded", "The job did not end in time."
    SERVER_LOST = "ServerLost", "A server failed too often."
    EVALUATOR_LOST = "EvaluatorLost", "The evaluator failed too often."
    NO_RESULT = "NoResult", "Training is over, but nobody could make the result."


class EventReason(_Word):
    """What an Event of a job tells."""

    STARTED = "Started", "Workers train."
    REFUSED = "Refused", "The job, or a pod of it, cannot be accepted."
    HELD_UP = "HeldUp", "Something keeps pods from running."
    WORKER_REPLACED = "WorkerReplaced", "A worker was lost; another takes its rank."
    SERVER_REPLACED = "ServerReplaced", "A server was lost; another takes its shard."
    EVALUATOR_REPLACED = "EvaluatorReplaced", "The evaluator was lost; another takes its place."
    DEGRADED = "Degraded", "Fewer workers than asked for are up."
    RECOVERED = "Recovered", "As many workers as asked for are up again."
    STALLED = "Stalled", "For a while no worker has taken a step."
    SUSPENDED = "Suspended", "The job was suspended."
    RESUMED = "Resumed", "The job goes on after it was suspended."
    COMPLETED = "Completed", "The job has its result."
    FAILED = "Failed", "The job failed."
