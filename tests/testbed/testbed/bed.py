"""A bed that is up, as tests use it."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from testbed.control_plane import ControlPlane
from testbed.errors import BedError
from testbed.faults import Faults
from testbed.rest import Api
from testbed.waiting import wait_for


class Kind(StrEnum):
    """What runs the pods of a bed."""

    CONTROL_PLANE = "control-plane"
    """Simulated nodes; needs no rights."""

    NODES = "nodes"
    """Real ones; needs root."""


@dataclass(frozen=True)
class Bed:
    """A Kubernetes that is up.

    Attributes:
        kind: what runs its pods.
        control_plane: its processes can be stopped and started.

    """

    kind: Kind
    control_plane: ControlPlane

    @property
    def folder(self) -> Path:
        """The folder of all its files; its folder `log` has every process's log."""
        return self.control_plane.folder

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.control_plane.pki.path("admin.kubeconfig")

    @property
    def api(self) -> Api:
        """The API server, asked by the administrator."""
        return self.control_plane.api

    @property
    def faults(self) -> Faults:
        return Faults(self.control_plane)

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 60) -> str:
        """Run kubectl and return what it says; BedError with its complaint if it fails."""
        done = subprocess.run(
            [
                self.control_plane.programs / "kubectl",
                f"--kubeconfig={self.kubeconfig}",
                *arguments,
            ],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if done.returncode:
            raise BedError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """Make a namespace that nobody else has; it is left to be deleted afterwards."""
        name = f"test-{uuid.uuid4().hex[:10]}"
        path = f"/api/v1/namespaces/{name}"
        self.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        account = f"{path}/serviceaccounts/default"
        wait_for(lambda: self.api.exists(account), f"service account of {name}")
        try:
            yield name
        finally:
            self.api.delete(path)
            self.api.delete(f"{path}/pods", {"gracePeriodSeconds": 0})

    def write_kubeconfig(self, namespace: str, account: str) -> Path:
        """Write a kubeconfig that makes a process outside a pod act as a service account."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        answer = self.api.create(path, {"spec": {"expirationSeconds": 24 * 3600}})
        name = f"{namespace}.{account}"
        return self.control_plane.pki.write_kubeconfig(name, answer["status"]["token"])
