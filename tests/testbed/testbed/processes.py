"""Processes that outlive their starter and are ended exactly: by number and time of start."""

import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import BedError
from testbed.waiting import wait_for


def start_time(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; None if it has ended.

    A zombie has, once the last of its threads has, which may hold a port for a moment longer.
    """
    folder = Path(f"/proc/{pid}")
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        num_threads = len(list((folder / "task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return None
    has_ended = fields[0] in {"Z", "X"} and num_threads == 1
    return None if has_ended else fields[19]


@dataclass(frozen=True)
class Stamp:
    """A process as it is told from a later one with the same number."""

    pid: int
    start: str

    @classmethod
    def of(cls, pid: int) -> "Stamp":
        return cls(pid, start_time(pid) or "ended")

    @classmethod
    def read(cls, path: Path) -> "Stamp":
        pid, start = path.read_text().split()
        return cls(int(pid), start)

    def write(self, path: Path) -> None:
        path.write_text(f"{self.pid} {self.start}\n")

    def is_alive(self) -> bool:
        with suppress(ChildProcessError):  # it is another process's child: who started it has gone
            os.waitpid(self.pid, os.WNOHANG)
        return start_time(self.pid) == self.start

    def send(self, number: int) -> None:
        if self.is_alive():
            os.kill(self.pid, number)


@dataclass(frozen=True)
class Processes:
    """The named processes of one bed; what is known of them lies in its folder.

    Attributes:
        folder: has a folder for logs and one for stamps.

    """

    folder: Path

    def start(
        self, name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None
    ) -> None:
        """Start a process in a session of its own, with its output in a log."""
        if self.is_alive(name):
            raise BedError(f"{name} runs already")
        log, stamps = self.folder / "log", self.folder / "processes"
        for folder in (log, stamps):
            folder.mkdir(parents=True, exist_ok=True)
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawnp(
            str(command[0]),
            [str(part) for part in command],
            os.environ | (env or {}),
            setsid=True,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log / name), append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
        Stamp.of(pid).write(stamps / name)

    def is_alive(self, name: str) -> bool:
        stamp = self._stamp(name)
        return stamp is not None and stamp.is_alive()

    def check(self, name: str) -> None:
        """Raise BedError with the end of its log if a process has ended by itself."""
        if not self.is_alive(name):
            log = self.folder / "log" / name
            end = log.read_text(errors="replace").splitlines()[-8:] if log.exists() else []
            raise BedError("\n".join([f"{name} has ended; {log} ends:", *end]))

    def stop(self, name: str, number: int = signal.SIGTERM, *, seconds: float = 10) -> None:
        """Send a signal and wait for the end; kill what has not ended by then."""
        stamp = self._stamp(name)
        if stamp is None:
            return
        stamp.send(number)
        try:
            wait_for(lambda: not stamp.is_alive(), f"end of {name}", seconds=seconds)
        except BedError:
            stamp.send(signal.SIGKILL)
            wait_for(lambda: not stamp.is_alive(), f"end of {name} after SIGKILL", seconds=seconds)
        (self.folder / "processes" / name).unlink()

    def kill(self, names: Iterable[str]) -> None:
        """Kill some at once, then wait for all."""
        names = list(names)
        for name in names:
            if (stamp := self._stamp(name)) is not None:
                stamp.send(signal.SIGKILL)
        for name in names:
            self.stop(name, signal.SIGKILL)

    def names(self) -> list[str]:
        """All that were started and not stopped, those that ended by themselves too."""
        stamps = self.folder / "processes"
        return sorted(path.name for path in stamps.iterdir()) if stamps.exists() else []

    def _stamp(self, name: str) -> Stamp | None:
        path = self.folder / "processes" / name
        return Stamp.read(path) if path.exists() else None
