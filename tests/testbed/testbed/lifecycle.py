"""Bringing beds up, taking them down, and clearing away what a crash left.

A bed belongs to the process that brought it up and is cleared away by the next one if that has
ended; a detached bed stays until somebody takes it down. Control planes alone can be up side by
side, so each process has its own. There is one bed of real nodes per machine, for their network has
fixed names.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed import name_service, network, nodes, simulated_nodes
from testbed.bed import Bed, Kind
from testbed.build import programs
from testbed.control_plane import LOOPBACK, Addresses, ControlPlane
from testbed.errors import BedError
from testbed.processes import Processes, Stamp

NUM_SIMULATED_NODES = 50


def bring_up(kind: Kind, *, detached: bool = False, patience_seconds: float = 600) -> Bed:
    """Bring a bed up, or take the detached one that is in its place.

    Args:
        kind: what runs the pods.
        detached: leave it up when this process ends.
        patience_seconds: how long to wait for another process's bed in the same place.

    """
    built = programs()
    folder = _claim(kind, detached=detached, patience_seconds=patience_seconds)
    if folder is None:
        return _load(kind, built)
    try:
        bed = _start(kind, folder, built)
    except BaseException:
        take_down(folder)
        raise
    (folder / "ready").touch()
    if detached:
        (folder / "owner").unlink()
    return bed


def find(kind: Kind) -> Bed | None:
    """Find a detached bed."""
    return _load(kind, programs()) if _is_detached(_root() / kind) else None


def take_down(folder: Path) -> None:
    """End all that a bed consists of and remove its files."""
    processes = Processes(folder)
    if folder.name == Kind.NODES:
        nodes.take_down(processes)
    processes.kill(processes.names())
    if folder.name == Kind.NODES:
        network.take_down()
    shutil.rmtree(folder)
    if not any(_root().glob(f"{Kind.CONTROL_PLANE}*")):
        simulated_nodes.forget_addresses()


def release(bed: Bed) -> None:
    """Take a bed down unless it is detached."""
    if not _is_detached(bed.folder):
        take_down(bed.folder)


def sweep(*, detached: bool = False) -> list[Path]:
    """Take down what processes that have ended left behind, and detached beds if asked to."""
    with _locked():
        return _sweep(detached=detached)


def _start(kind: Kind, folder: Path, built: Path) -> Bed:
    if kind == Kind.CONTROL_PLANE:
        control_plane = ControlPlane(folder, built, Addresses.choose(LOOPBACK))
        control_plane.up({})
        simulated_nodes.start_simulator(control_plane)
        simulated_nodes.add_nodes(control_plane.api, NUM_SIMULATED_NODES)
    else:
        network.bring_up()
        control_plane = ControlPlane(folder, built, Addresses.choose(network.GATEWAY))
        control_plane.up({nodes.name(index): network.address(index) for index in network.NODES})
        name_service.start(control_plane)
        nodes.bring_up(control_plane)
    return Bed(kind, control_plane)


def _load(kind: Kind, built: Path) -> Bed:
    return Bed(kind, ControlPlane.load(_root() / kind, built))


def _claim(kind: Kind, *, detached: bool, patience_seconds: float) -> Path | None:
    """Make the folder of a new bed; None if there is a detached one in its place."""
    is_shared = detached or kind == Kind.NODES
    folder = _root() / (kind if is_shared else f"{kind}-{os.getpid()}")
    end = time.monotonic() + patience_seconds
    while True:
        with _locked():
            _sweep(detached=False)
            if _is_detached(folder):
                return None
            if not folder.exists():
                folder.mkdir(mode=0o700)
                Stamp.of(os.getpid()).write(folder / "owner")
                return folder
        if time.monotonic() > end:
            raise BedError(f"{folder} is another process's bed, still after {patience_seconds:g} s")
        time.sleep(1)


def _sweep(*, detached: bool) -> list[Path]:
    left = [folder for folder in _root().iterdir() if _is_left(folder, detached=detached)]
    for folder in left:
        take_down(folder)
    return left


def _is_left(folder: Path, *, detached: bool) -> bool:
    if not folder.is_dir():
        return False
    owner = folder / "owner"
    return not Stamp.read(owner).is_alive() if owner.exists() else detached


def _is_detached(folder: Path) -> bool:
    return (folder / "ready").exists() and not (folder / "owner").exists()


def _root() -> Path:
    """The folder of this user's beds; short, for sockets' paths end after 107 characters."""
    root = Path(f"/tmp/tb-{os.getuid()}")
    root.mkdir(mode=0o700, exist_ok=True)
    if root.stat().st_uid != os.getuid():
        raise BedError(f"{root} belongs to somebody else")
    return root


@contextmanager
def _locked() -> Iterator[None]:
    with (_root() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
