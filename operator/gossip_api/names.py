"""Every name that operator and trainer must agree on: API, labels, roles, members, pods."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

GROUP: Final = "gossip.training"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "gossip.training/v1alpha1"
KIND: Final = "GossipTrainingJob"
PLURAL: Final = "gossiptrainingjobs"
SINGULAR: Final = "gossiptrainingjob"
SHORT_NAME: Final = "gtj"

JOB_NAME_MAX_LENGTH: Final = 40
"""Leaves room in a pod's name (63) for role, index and incarnation."""
JOB_NAME_PATTERN: Final = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
"""A label as in RFC 1035."""

JOB_NAME_LABEL: Final = "gossip.training/job-name"
JOB_UID_LABEL: Final = "gossip.training/job-uid"
ROLE_LABEL: Final = "gossip.training/role"
INDEX_LABEL: Final = "gossip.training/index"
INCARNATION_LABEL: Final = "gossip.training/incarnation"
APPLIED_HASH_ANNOTATION: Final = "gossip.training/applied-hash"
"""Digest of what the operator last applied to an object; equal digests need no new write."""

CONTAINER: Final = "trainer"
"""The container of a pod that trains; its end is the pod's outcome, whatever sidecars do."""
FIELD_MANAGER: Final = "gossip-operator"
DISCOVERY_PORT: Final = 29400
METRICS_PORT: Final = 9400
JOB_FILE: Final = "job.yaml"
"""Key in the spec's ConfigMap, and the file's name where it is mounted."""


class Role(StrEnum):
    """What a process of a job does."""

    WORKER = "worker"
    SERVER = "server"
    EVALUATOR = "evaluator"


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One process of a job; the index is the rank of a worker and the shard of a server."""

    role: Role
    index: int
    incarnation: int

    @property
    def name(self) -> str:
        """The member's name, for example `worker-3-0`."""
        return member_name(self.role, self.index, self.incarnation)


_MEMBER = re.compile(
    rf"(?P<role>{'|'.join(Role)})"
    r"-(?P<index>0|[1-9][0-9]{0,8})"
    r"-(?P<incarnation>0|[1-9][0-9]{0,8})"
)


def member_name(role: Role, index: int, incarnation: int) -> str:
    """Name a process of a job, for example `worker-3-0`; a name is never used twice."""
    if index < 0 or incarnation < 0:
        raise ValueError(f"got index {index}, incarnation {incarnation}; both must be 0 or more")
    return f"{role}-{index}-{incarnation}"


def parse_member_name(name: str) -> Member:
    """Read what `member_name` wrote; ValueError for any other text."""
    match = _MEMBER.fullmatch(name)
    if match is None:
        raise ValueError(f"got {name!r}; must be <role>-<index>-<incarnation>, like worker-3-0")
    return Member(Role(match["role"]), int(match["index"]), int(match["incarnation"]))


def pod_name(job: str, role: Role, index: int, incarnation: int) -> str:
    """Name the pod of a process of the job, for example `mnist-worker-3-0`."""
    return f"{job}-{member_name(role, index, incarnation)}"


def parse_pod_name(job: str, name: str) -> Member:
    """Read what `pod_name` wrote for this job; ValueError for any other text."""
    prefix = f"{job}-"
    if not name.startswith(prefix):
        raise ValueError(f"got pod name {name!r}; must begin with {prefix!r}")
    return parse_member_name(name.removeprefix(prefix))


def spec_name(job: str) -> str:
    """Name the ConfigMap with the job document."""
    return f"{job}-spec"


def tls_name(job: str) -> str:
    """Name the Secret with the job's certificate, key and CA bundle."""
    return f"{job}-tls"


def peers_name(job: str) -> str:
    """Name the headless Service of the job's pods, and what lets them watch its EndpointSlices."""
    return f"{job}-peers"
