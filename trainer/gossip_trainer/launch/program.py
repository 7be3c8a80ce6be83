"""Starts a program of the user's as one process of a local run."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gossip_trainer.errors import RunError
from gossip_trainer.launch import tether
from gossip_trainer.launch.own_command import PLACE, OwnCommand

PYTHONS = ("python", "python3")


class Program:
    """A running program with a process group of its own; to be treated like a forked process.

    The group is what the program starts itself, the processes of a data loader for example.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.pid = process.pid

    @property
    def exitcode(self) -> int | None:
        """None while it lives; minus the signal's number if one killed it."""
        return self._process.poll()

    def is_alive(self) -> bool:
        """Say whether it lives."""
        return self.exitcode is None

    def kill(self) -> None:
        """Kill it and what it has started, also where it has ended and they have not."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # nobody is left

    def join(self, timeout: float) -> None:
        """Wait until it has ended, at most `timeout` seconds."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return  # as one of multiprocessing's; `exitcode` tells


def require_program(command: OwnCommand) -> None:
    """Raise RunError if there is no such program: known before anybody else is started."""
    words, environ = command.resolved({**os.environ, "PATH": _path()})
    _find(words[0], environ["PATH"])


def start_program(
    command: OwnCommand, own_environ: Mapping[str, str], log: Path, threads: int
) -> Program:
    """Start the command in this folder with `own_environ` added; what it prints goes to `log`.

    Raises:
        RunError: there is no such program.

    """
    given = {
        **os.environ,
        **own_environ,
        "PATH": _path(),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
    }
    words, environ = command.resolved(given)
    program = [_find(words[0], environ["PATH"]), *words[1:]]
    tied = [sys.executable, "-I", "-S", str(Path(tether.__file__)), str(os.getpid()), *program]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            tied,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    return Program(process)


def _path() -> str:
    """Return where programs are found; `python` is the one that runs this, whatever the shell's."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def _find(program: str, path: str) -> str:
    if (found := shutil.which(program, path=path)) is not None:
        return found
    if program in PYTHONS:
        return sys.executable
    raise RunError(
        f"{PLACE}.command: got {program!r}; it is neither a program on PATH nor an executable file "
        f"seen from {Path.cwd()}"
    )
