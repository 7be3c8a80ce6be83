"""`kubectl gossip`, run as its users do: the real kubectl finds the plugin on PATH by its name."""

import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.bed import Bed

RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Plugin:
    """The plugin, for one namespace.

    Attributes:
        kubeconfig: whom it acts as; the administrator if None.

    """

    bed: Bed
    namespace: str
    kubeconfig: Path | None = None

    def run(self, *arguments: str, stdin: str | None = None, seconds: float = 60) -> Ended:
        """Run a command to its end."""
        with self.start(*arguments, stdin=subprocess.PIPE) as process:
            out, err = process.communicate(stdin, timeout=seconds)
        return Ended(process.returncode, out, err)

    def start(
        self,
        *arguments: str,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Start a command."""
        kubectl = self.bed.control_plane.programs / "kubectl"
        # Where the tests run in the background, interrupts are ignored, and so by their children.
        attentive = ("env", "--default-signal=INT")
        return subprocess.Popen(
            [*attentive, kubectl, "gossip", "-n", self.namespace, *arguments],
            env=self.environment | environment,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    def with_rights(self, rights: Mapping[tuple[str, str], str]) -> "Plugin":
        """Return the plugin of an account that may do this only: API group, resource, verbs."""
        name = f"limited-{uuid.uuid4().hex[:8]}"
        rules = [
            {"apiGroups": [group], "resources": [resource], "verbs": verbs.split()}
            for (group, resource), verbs in rights.items()
        ]
        api, inside = self.bed.api, f"namespaces/{self.namespace}"
        rbac = f"/apis/{RBAC}/v1/{inside}"
        metadata = {"metadata": {"name": name}}
        api.create(f"/api/v1/{inside}/serviceaccounts", metadata)
        api.create(f"{rbac}/roles", metadata | {"rules": rules})
        binding = {
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": self.namespace}],
        }
        api.create(f"{rbac}/rolebindings", metadata | binding)
        return Plugin(self.bed, self.namespace, self.bed.write_kubeconfig(self.namespace, name))

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment, in which this Python's programs come first."""
        return os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "KUBECONFIG": str(self.kubeconfig or self.bed.kubeconfig),
        }


def end(process: subprocess.Popen[str], *, seconds: float = 30) -> Ended:
    """Wait for the end of a command; kill it and fail if it does not come."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still runs after {seconds} s; said {out!r} and {err!r}") from None
    return Ended(process.returncode, out, err)
