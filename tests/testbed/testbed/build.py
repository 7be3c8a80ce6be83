"""The programs of a bed, built from Go sources once per state of them and machine."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.errors import BedError, UnavailableError

SOURCES = Path(__file__).parents[1] / "go"
HELM_SOURCES = Path(__file__).parents[1] / "go-helm"
KUBERNETES = "v1.34.4"
HELM = "v3.19.5"


def is_built() -> bool:
    return _bin(SOURCES, _kubernetes_flags()).is_dir()


def helm_is_built() -> bool:
    return _bin(HELM_SOURCES, _helm_flags()).is_dir()


def programs() -> Path:
    """Return the folder with Kubernetes' programs; build them if need be, which takes minutes."""
    return _built(SOURCES, _kubernetes_flags(), _build_kubernetes)


def helm() -> Path:
    """Return Helm, which is built apart: a bed does without; the first time takes minutes."""
    return _built(HELM_SOURCES, _helm_flags(), _build_helm) / "helm"


def _bin(sources: Path, flags: str) -> Path:
    """Where the programs of this state of the sources are or will be."""
    digest = hashlib.sha256(flags.encode())
    for path in sorted(sources.rglob("*")):
        if path.suffix == ".go" or path.name in {"go.mod", "go.sum"}:
            digest.update(f"{path.relative_to(sources)}\0".encode() + path.read_bytes() + b"\0")
    home = Path(os.environ.get("TESTBED_CACHE") or Path.home() / ".cache" / "gossip-testbed")
    return home / digest.hexdigest()[:16] / "bin"


def _built(sources: Path, flags: str, build: Callable[[Path], None]) -> Path:
    """Return the folder with the programs of these sources, built by one session at a time."""
    folder = _bin(sources, flags)
    if folder.is_dir():
        return folder
    if shutil.which("go") is None:
        raise UnavailableError("needs Go to build Kubernetes and Helm with: https://go.dev/dl")
    with _lock(folder.parent.with_suffix(".lock")):
        if not folder.is_dir():
            unfinished = folder.with_name("unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            build(unfinished)
            unfinished.rename(folder)
    return folder


def _build_kubernetes(folder: Path) -> None:
    _go_build(SOURCES, folder, "./...", _kubernetes_flags())
    _go_build(SOURCES / "kwok", folder, "tool", _kubernetes_flags())
    (folder / "kubectl").symlink_to("kubenode")


def _build_helm(folder: Path) -> None:
    _go_build(HELM_SOURCES, folder, "tool", _helm_flags())


def _go_build(module: Path, folder: Path, packages: str, flags: str) -> None:
    built = subprocess.run(
        ["go", "build", "-trimpath", f"-ldflags={flags}", "-o", f"{folder}/", packages],
        cwd=module,
        env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=45 * 60,
    )
    if built.returncode:
        raise BedError(f"go build in {module} failed:\n{built.stdout[-3000:]}")


def _kubernetes_flags() -> str:
    """Name the version, without which clients and nodes are told of none."""
    _, minor, _ = KUBERNETES.split(".")
    stamps = {
        "gitVersion": KUBERNETES,
        "gitMajor": "1",
        "gitMinor": minor,
        "gitCommit": "testbed",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
    }
    version = "k8s.io/component-base/version"
    return " ".join(["-s -w", *(f"-X {version}.{key}={text}" for key, text in stamps.items())])


def _helm_flags() -> str:
    """Name Helm's version, and the Kubernetes that it renders for where it asks none."""
    _, minor, _ = KUBERNETES.split(".")
    packages = ("pkg/chartutil", "pkg/lint/rules")
    stamps = {"internal/version.version": HELM} | {
        f"{package}.k8sVersion{part}": text
        for package in packages
        for part, text in (("Major", "1"), ("Minor", minor))
    }
    return " ".join(["-s -w", *(f"-X helm.sh/helm/v3/{k}={v}" for k, v in stamps.items())])


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one session build at a time; the next one finds it done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
