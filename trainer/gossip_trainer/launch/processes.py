"""The processes of a local run: watched and ended by their ids.

They are forked from a prepared template, but for workers that have a command of their own.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from gossip_api.environment import ProcessEnvironment
from gossip_api.names import Member
from gossip_trainer.launch.own_command import OwnCommand
from gossip_trainer.launch.program import Program, start_program

ENDING_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
END_SECONDS = 5.0
TAIL_BYTES = 2048  # of a log, in which the last line is looked for


@dataclass(slots=True)
class Child:
    """One process of the run."""

    member: Member
    process: ForkServerProcess | Program

    @property
    def name(self) -> str:
        """The member's name."""
        return self.member.name

    @property
    def exit_code(self) -> int | None:
        """None while it lives; minus the signal's number if one killed it."""
        return self.process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal if it lives."""
        if self.process.is_alive() and self.process.pid is not None:
            os.kill(self.process.pid, number)


class Nursery:
    """Starts processes from one fork server, and programs.

    Args:
        threads: of each process; the numeric libraries are told before they are imported.

    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        # The fork server inherits this environment and must not start threads of its own before
        # it forks; every process sets its number of threads afterwards.
        os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["gossip_trainer.launch.template"])
        # What ends the launcher in order may reach the whole group, as an interrupt typed at the
        # terminal does. Without the fork server no process could be started or waited for.
        resource_tracker.ensure_running()  # it would be started in there and unblock them
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def start(
        self, environment: ProcessEnvironment, log: Path, command: OwnCommand | None = None
    ) -> Child:
        """Start one process, of the user's command if there is one; what it prints goes to `log`.

        Raises:
            RunError: there is no such program.

        """
        member = Member(environment.role, environment.rank, environment.incarnation)
        environ = environment.to_environ()
        if command is not None:
            return Child(member, start_program(command, environ, log, self._threads))
        process = self._context.Process(
            target=run_child, args=(environ, str(log), self._threads), name=member.name
        )
        process.start()
        return Child(member, process)


def run_child(environ: Mapping[str, str], log: str, threads: int) -> None:
    """Become the process that `environ` describes.

    It gets a process group of its own: an interrupt typed at the terminal reaches the launcher
    alone, which tells its children what it means. Not a session of its own: Linux schedules
    sessions as groups, and a thread that serves a peer would wait for its whole group's turn.
    """
    os.setpgrp()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)  # the fork server takes none
    threading.Thread(target=_end_with_launcher, name="launcher watch", daemon=True).start()
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.update(environ)

    import torch  # noqa: PLC0415 - the launcher itself does without torch

    from gossip_trainer.process.main import main  # noqa: PLC0415 - imports torch

    torch.set_num_threads(threads)
    sys.exit(main(os.environ))


def _end_with_launcher() -> None:
    launcher = multiprocessing.parent_process()
    assert launcher is not None, "this runs in a child of the launcher"
    launcher.join()
    os.kill(os.getpid(), signal.SIGKILL)  # nobody looks after this process any more


def describe_exit(code: int) -> str:
    """Say in words how a process ended."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def last_line(log: Path) -> str:
    """Return the last line a process printed, which of an exception is its text; "" for none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def end_children(children: list[Child]) -> None:
    """Kill what still lives and reap it."""
    for child in children:
        child.process.kill()
    for child in children:
        child.process.join(END_SECONDS)
