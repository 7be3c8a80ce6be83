"""The programs of a bed, built from Go sources once per state of them and machine."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.errors import BedError, UnavailableError

SOURCES = Path(__file__).parents[1] / "go"
KUBERNETES = "v1.34.4"


def cache() -> Path:
    """Where the programs of this state of the sources are or will be."""
    digest = hashlib.sha256(_ldflags().encode())
    for path in sorted(SOURCES.rglob("*")):
        if path.suffix == ".go" or path.name in {"go.mod", "go.sum"}:
            digest.update(f"{path.relative_to(SOURCES)}\0".encode() + path.read_bytes() + b"\0")
    home = Path(os.environ.get("TESTBED_CACHE") or Path.home() / ".cache" / "gossip-testbed")
    return home / digest.hexdigest()[:16]


def is_built() -> bool:
    return (cache() / "bin").is_dir()


def programs() -> Path:
    """Return the folder with the programs; build them if need be, which takes minutes."""
    folder = cache()
    if is_built():
        return folder / "bin"
    if shutil.which("go") is None:
        raise UnavailableError("needs Go to build Kubernetes with: https://go.dev/dl")
    with _lock(folder.with_suffix(".lock")):
        if not is_built():
            _build(folder)
    return folder / "bin"


def _build(folder: Path) -> None:
    unfinished = folder / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _go_build(SOURCES, unfinished, "./...")
    _go_build(SOURCES / "kwok", unfinished, "tool")
    (unfinished / "kubectl").symlink_to("kubenode")
    unfinished.rename(folder / "bin")


def _go_build(module: Path, folder: Path, packages: str) -> None:
    built = subprocess.run(
        ["go", "build", "-trimpath", f"-ldflags={_ldflags()}", "-o", f"{folder}/", packages],
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


def _ldflags() -> str:
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


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one session build at a time; the next one finds it done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
