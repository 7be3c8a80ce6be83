"""Nodes that exist only as objects: kwok keeps them and their pods as a kubelet would.

A pod that is bound to one runs at once, unless its annotation `testbed/waiting` gives the reason
why it does not, and ends when a test says so (`exit_container`).
"""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from testbed.control_plane import LOOPBACK, ControlPlane
from testbed.rest import STRATEGIC_PATCH, Api, Object
from testbed.waiting import wait_for

LABEL = "testbed/simulated"
WAITING_ANNOTATION = "testbed/waiting"
STAGES = Path(__file__).with_name("stages.yaml")
POD_NETWORK = "10.244.0.0/16"
LEASE_SECONDS = 16
"""A quarter of it passes between two signs of life."""


def start_simulator(control_plane: ControlPlane) -> None:
    """Start what keeps simulated nodes.

    Nobody is at their pods' addresses. Who connects to one is told so at once, and nothing leaves
    the machine; without root's rights it is lost on the way out instead.
    """
    if os.geteuid() == 0:
        _route("replace", check=True)
    control_plane.processes.start(
        "kwok",
        [
            control_plane.programs / "kwok",
            f"--kubeconfig={control_plane.pki.path('admin.kubeconfig')}",
            f"--config={STAGES}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-label-selector={LABEL}=true",
            f"--node-lease-duration-seconds={LEASE_SECONDS}",
            f"--cidr={POD_NETWORK}",
            "--node-ip=10.200.99.1",
            f"--server-address={LOOPBACK}:{control_plane.addresses.simulator}",
        ],
    )


def forget_addresses() -> None:
    """Undo what `start_simulator` did to the machine, after the last bed with such nodes."""
    if os.geteuid() == 0:
        _route("del", check=False)


def add_nodes(api: Api, number: int, *, seconds: float = 60) -> None:
    """Add simulated nodes sim-0, sim-1, ... in three zones and wait until they are ready."""
    for index in range(number):
        api.create("/api/v1/nodes", _node(index))

    def are_ready() -> bool:
        nodes = api.list("/api/v1/nodes", labelSelector=f"{LABEL}=true")
        return sum(is_ready(node) for node in nodes) == number

    wait_for(are_ready, f"readiness of {number} simulated nodes", seconds=seconds)


def is_ready(subject: Object) -> bool:
    """Tell whether a node or a pod says that it is ready."""
    conditions = subject.get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def lose_node(api: Api, name: str) -> None:
    """Let a simulated node fall silent; it counts as gone after the grace period."""
    api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": {LABEL: None}}})


def restore_node(api: Api, name: str, *, seconds: float = 60) -> None:
    """Let a silent node come back and wait until it is ready."""
    path = f"/api/v1/nodes/{name}"
    api.patch(path, {"metadata": {"labels": {LABEL: "true"}}})
    wait_for(lambda: is_ready(api.get(path)), f"readiness of {name}", seconds=seconds)


def exit_container(
    api: Api, namespace: str, pod: str, code: int, *, reason: str | None = None, message: str = ""
) -> None:
    """End the first container of a pod on a simulated node as a kubelet would record it.

    It is started again in its place, or the pod has ended, as `restartPolicy` says.

    Args:
        api: an administrator's.
        namespace: the pod's.
        pod: its name.
        code: the exit status.
        reason: for example `OOMKilled`; else what follows from the code.
        message: the termination message.

    """
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}"
    found = api.get(path)
    first, *others = found["status"]["containerStatuses"]
    terminated = {
        "exitCode": code,
        "reason": reason or ("Error" if code else "Completed"),
        "message": message,
        "startedAt": first["state"]["running"]["startedAt"],
        "finishedAt": _now(),
    }
    policy = found["spec"]["restartPolicy"]
    if policy == "Always" or (policy == "OnFailure" and code):
        change = {"containerStatuses": [first | _restarted(first, terminated), *others]}
    else:
        ended = {"ready": False, "started": False, "state": {"terminated": terminated}}
        change = _ended(code) | {"containerStatuses": [first | ended, *others]}
    api.patch(f"{path}/status", {"status": change}, STRATEGIC_PATCH)


def _route(change: str, *, check: bool) -> None:
    command = ["ip", "route", change, "blackhole", POD_NETWORK]
    subprocess.run(command, check=check, capture_output=True, timeout=30)


def _restarted(status: Object, terminated: Object) -> Object:
    return {
        "restartCount": status["restartCount"] + 1,
        "state": {"running": {"startedAt": _now()}},
        "lastState": {"terminated": terminated},
    }


def _ended(code: int) -> Object:
    reason = "PodFailed" if code else "PodCompleted"
    return {
        "phase": "Failed" if code else "Succeeded",
        "conditions": [
            {"type": kind, "status": "False", "reason": reason, "lastTransitionTime": _now()}
            for kind in ("Ready", "ContainersReady")
        ],
    }


def _node(index: int) -> Object:
    name = f"sim-{index}"
    resources = {"cpu": "32", "memory": "256Gi", "pods": "110", "nvidia.com/gpu": "8"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                LABEL: "true",
                "kubernetes.io/hostname": name,
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                "topology.kubernetes.io/zone": f"zone-{index % 3}",
            },
        },
        "status": {"allocatable": resources, "capacity": resources},
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
