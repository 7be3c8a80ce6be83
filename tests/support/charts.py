"""The chart, rendered and installed by the real Helm.

A machine without Helm skips the tests that ask for it; continuous integration fails them.
"""

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from testbed import build, obstacles

CHART = Path("charts/gossip-training")
CI = CHART / "ci"
VALUES = sorted(CI.glob("*-values.yaml"))
"""Values that users may have, as files."""
RELEASE = "gossip-training"
NAMESPACE = "gossip-system"
CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
"""The kinds of rendered objects that belong to no namespace."""

Object = dict[str, Any]


class HelmError(Exception):
    """Helm did not do what it was told; the text is its own."""


def program() -> Path:
    """Return Helm; without it the test is skipped or fails."""
    if not build.helm_is_built():
        missing = "needs Helm: make testbed"
        if obstacles.are_errors():
            pytest.fail(missing)
        pytest.skip(missing)
    return build.helm()


def helm(*arguments: str | Path, kubeconfig: Path | None = None, seconds: float = 60) -> str:
    """Run Helm and return what it says.

    Raises:
        HelmError: it failed.

    """
    command, environment = [program(), *arguments], dict(os.environ)
    if kubeconfig is not None:
        command.append(f"--kubeconfig={kubeconfig}")
        # What kinds a server has is remembered by its address, which another may have had before.
        environment["KUBECACHEDIR"] = str(kubeconfig.parent / "kube-cache")
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=seconds, env=environment
    )
    if ran.returncode:
        raise HelmError(f"helm {' '.join(map(str, arguments))}: {ran.stdout}{ran.stderr}")
    return ran.stdout


def render(
    *options: str, release: str = RELEASE, namespace: str = NAMESPACE, values: Path | None = None
) -> list[Object]:
    """Render the chart without a cluster; `options` are Helm's, such as --set."""
    return list(_rendered(options, release, namespace, values))


@cache
def _rendered(
    options: tuple[str, ...], release: str, namespace: str, values: Path | None
) -> tuple[Object, ...]:
    file = () if values is None else ("--values", values)
    text = helm("template", release, CHART, "--namespace", namespace, *file, *options)
    return tuple(read_objects(text))


def read_objects(text: str) -> list[Object]:
    """Read YAML documents, empty ones left out."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the definition is long
    return [document for document in yaml.load_all(text, Loader=loader) if document]


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


def the(objects: list[Object], kind: str, name: str = RELEASE) -> Object:
    """Return the one object of that kind and name."""
    [found] = [one for one in of_kind(objects, kind) if one["metadata"]["name"] == name]
    return found


def pod(*options, values=None, name=RELEASE):
    """Return the operator's pod."""
    return the(render(*options, values=values), "Deployment", name)["spec"]["template"]["spec"]


def container(*options, **which):
    """Return its container."""
    [found] = pod(*options, **which)["containers"]
    return found


def is_hook(one: Object) -> bool:
    return "helm.sh/hook" in one["metadata"].get("annotations", {})
