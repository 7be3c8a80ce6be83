"""Control groups (version 1), by which all processes of a node are found.

A kubelet takes groups that it does not know for orphans of its own and deletes them, so each has a
root of its own.
"""

import os
import signal
from pathlib import Path

from testbed.waiting import wait_for

MOUNT = Path("/sys/fs/cgroup")


def hierarchies() -> list[Path]:
    """The roots of the hierarchies of version 1, one per controller."""
    if not MOUNT.is_dir():
        return []
    return sorted(
        path
        for path in MOUNT.iterdir()
        if not path.is_symlink() and (path / "notify_on_release").exists()
    )


def make(name: str) -> None:
    """Make a group in every hierarchy."""
    for hierarchy in hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        if hierarchy.name == "cpuset":  # a new group may use nothing until it is told what
            for file in ("cpuset.cpus", "cpuset.mems"):
                (group / file).write_text((hierarchy / file).read_text())


def processes(name: str) -> list[int]:
    """Number those in a group and in the groups in it."""
    found = []
    for file in (MOUNT / "pids" / name).rglob("cgroup.procs"):
        try:
            found += map(int, file.read_text().split())
        except OSError:  # the group has gone meanwhile
            continue
    return found


def kill(name: str, *, seconds: float = 20) -> None:
    """Kill all in a group until none is left."""

    def is_empty() -> bool:
        found = processes(name)
        for pid in found:
            _kill(pid)
        return not found

    wait_for(is_empty, f"end of the processes in {name}", seconds=seconds)


def kill_within(name: str, part: str, *, spare: str) -> list[int]:
    """Kill the processes of one group in a group, those of the program `spare` aside."""
    groups = [found.relative_to(MOUNT / "pids") for found in (MOUNT / "pids" / name).rglob(part)]
    killed = [pid for group in groups for pid in processes(str(group)) if _program(pid) != spare]
    for pid in killed:
        _kill(pid)
    return killed


def remove(name: str, *, seconds: float = 20) -> None:
    """Remove a group whose processes have been killed; runc makes it in version 2 too."""

    def is_gone() -> bool:
        return all(_remove(hierarchy / name) for hierarchy in MOUNT.iterdir())

    wait_for(is_gone, f"removal of the groups {name}", seconds=seconds)


def _remove(group: Path) -> bool:
    """Remove a group and those in it; False while the kernel is busy with one."""
    if not group.exists():
        return True
    are_gone = [_remove(path) for path in group.iterdir() if path.is_dir()]
    if not all(are_gone):
        return False
    try:
        group.rmdir()
    except OSError:
        return False
    return True


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
