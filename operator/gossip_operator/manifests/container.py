"""The container `trainer`: the user's, with what a process of the job needs merged in."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gossip_api.environment import PREFIX, ProcessEnvironment
from gossip_api.names import CONTAINER, JOB_FILE
from gossip_operator.manifests.checkpoints import checkpoint_root
from gossip_operator.manifests.discovery import METRICS_PORT, PEERS_PORT, peers_source
from gossip_operator.manifests.volumes import (
    JOB_FOLDER,
    OUTPUT_FOLDER,
    TEMPORARY_FOLDER,
    TLS_FOLDER,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gossip_api.job import GossipTrainingJob
    from gossip_api.names import Member
    from gossip_operator.manifests.volumes import Mount

COMMAND: Final = ("python", "-m", "gossip_trainer.process")
_LAST_WORDS: Final = "/dev/termination-log"
_ADDRESS: Final = "POD_IP"


def trainer_container(
    given: dict[str, Any],
    job: GossipTrainingJob,
    member: Member,
    *,
    uid: str,
    fresh: bool,
    mounts: Iterable[Mount],
) -> dict[str, Any]:
    """Return the user's container with what is missing; what the user says stays.

    Variables that begin with `GOSSIP_` are the operator's alone.
    """
    container = {
        "name": CONTAINER,
        **({} if "args" in given else {"command": list(COMMAND)}),
        "terminationMessagePath": _LAST_WORDS,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "readinessProbe": _readiness(),
        **given,
        "securityContext": {**_security(), **given.get("securityContext", {})},
    }
    needed = _environment(
        job, member, uid=uid, fresh=fresh, last_words=container["terminationMessagePath"]
    )
    container["env"] = _merged_environment(given, needed)
    container["ports"] = [*_ports(job), *_others(given.get("ports"), {PEERS_PORT, METRICS_PORT})]
    container["volumeMounts"] = [
        *(mount.volume_mount for mount in mounts),
        *given.get("volumeMounts", ()),
    ]
    return container


def _security() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def _readiness() -> dict[str, Any]:
    """Notice within a second who is ready, but give up nobody for a few slow answers.

    Peers leave out who is not ready, and that a process has died the kubelet sees by itself.
    """
    return {
        "httpGet": {"path": "/readyz", "port": METRICS_PORT},
        "periodSeconds": 1,
        "timeoutSeconds": 2,
        "failureThreshold": 5,
    }


def _environment(
    job: GossipTrainingJob, member: Member, *, uid: str, fresh: bool, last_words: str
) -> dict[str, str]:
    spec = job.spec
    return ProcessEnvironment(
        job_file=Path(JOB_FOLDER) / JOB_FILE,
        job_uid=uid,
        role=member.role,
        rank=member.index,
        incarnation=member.incarnation,
        peers=peers_source(job),
        listen=f"$({_ADDRESS}):{spec.discovery.port}",
        output=Path(OUTPUT_FOLDER),
        tls=Path(TLS_FOLDER) if spec.security.mutual_tls else None,
        fresh=fresh,
        status=f"$({_ADDRESS}):{spec.monitoring.metrics_port}",
        last_words=Path(last_words),
        checkpoints=checkpoint_root(job, member.role, uid=uid),
    ).to_environ()


def _merged_environment(given: dict[str, Any], needed: dict[str, str]) -> list[dict[str, Any]]:
    """Put the operator's variables first, so that the user's may refer to them."""
    address = {"name": _ADDRESS, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    own = [
        variable
        for variable in given.get("env", ())
        if variable["name"] != _ADDRESS and not variable["name"].startswith(PREFIX)
    ]
    defaults = _variables({"HOME": TEMPORARY_FOLDER, "PYTHONUNBUFFERED": "1", **_threads(given)})
    chosen = {variable["name"] for variable in own}
    return [address, *_variables(needed), *_others(defaults, chosen), *own]


def _variables(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _ports(job: GossipTrainingJob) -> list[dict[str, Any]]:
    spec = job.spec
    ports = {PEERS_PORT: spec.discovery.port, METRICS_PORT: spec.monitoring.metrics_port}
    return [
        {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()
    ]


def _others(items: Iterable[dict[str, Any]] | None, names: set[str]) -> list[dict[str, Any]]:
    return [item for item in items or () if item.get("name") not in names]


def _threads(given: dict[str, Any]) -> dict[str, str]:
    """Say to PyTorch how many CPUs it has; it would count those of the node.

    The limit decides, else the request; where there is neither, nothing is known.
    """
    resources = given.get("resources", {})
    for part in ("limits", "requests"):
        cpus = _cpus(resources.get(part, {}).get("cpu"))
        if cpus is not None:
            return {"OMP_NUM_THREADS": str(max(1, int(cpus)))}
    return {}


def _cpus(quantity: object) -> Decimal | None:
    """Read an amount of CPU, such as `500m` or `2`; None for what the API server has to judge."""
    text = str(quantity)
    scale = Decimal("0.001") if text.endswith("m") else Decimal(1)
    try:
        amount = Decimal(text.removesuffix("m")) * scale
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
