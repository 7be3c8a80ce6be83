"""A program as a process of a local run: found, started, watched, and ended with all it started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gossip_trainer.errors import RunError
from gossip_trainer.launch import tether
from gossip_trainer.launch.own_command import OwnCommand
from gossip_trainer.launch.processes import last_line
from gossip_trainer.launch.program import start_program

SECONDS = 20.0


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a command; ends with the test."""
    started = []

    def start(*words, environ=None, threads=1):
        log = tmp_path / "log"
        program = start_program(OwnCommand(words), environ or {}, log, threads)
        started.append(program)
        return program, log

    yield start
    for program in started:
        program.kill()
        program.join(SECONDS)


def ended(start, *words, **how):
    """Start a command and wait for its end; return its exit code and what it printed."""
    program, log = start(*words, **how)
    program.join(SECONDS)
    return program.exitcode, log.read_text()


def test_a_program_prints_to_its_log_and_its_exit_code_is_told(start):
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    assert ended(start, "python", "-c", code) == (3, "out\nerr\n")


def test_python_is_the_one_that_runs_the_launcher(start):
    _, printed = ended(start, "python", "-c", "import sys; print(sys.prefix)")
    assert printed.strip() == sys.prefix


def test_a_program_is_told_its_place_its_threads_and_the_folder(start):
    code = "import os; e = os.environ; print(e['GOSSIP_RANK'], e['OMP_NUM_THREADS'], os.getcwd())"
    _, printed = ended(start, "python", "-c", code, environ={"GOSSIP_RANK": "2"}, threads=3)
    assert printed.split() == ["2", "3", str(Path.cwd())]


def test_a_program_that_is_not_there_is_refused_by_name(start):
    with pytest.raises(RunError, match=r"containers\[trainer\]\.command: got 'trian'; .*PATH"):
        start("trian", "--fast")


def test_a_file_that_cannot_be_executed_says_so_in_the_log(start, tmp_path):
    script = tmp_path / "train"
    script.write_text("#!/nowhere/python\n")
    script.chmod(0o755)
    code, printed = ended(start, str(script))
    assert code == tether.NOT_FOUND
    assert printed == f"{script}: No such file or directory\n"


def test_a_killed_program_has_minus_the_signal_as_its_code(start):
    program, _ = start("python", "-c", "import signal; signal.pause()")
    assert program.is_alive()
    os.kill(program.pid, signal.SIGKILL)
    program.join(SECONDS)
    assert program.exitcode == -signal.SIGKILL
    assert not program.is_alive()


def test_what_a_program_has_started_is_killed_with_it(start, tmp_path):
    """The inner process holds the pipe's writing end open for as long as it lives."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    inner = f"f = open({str(pipe)!r}, 'w'); f.write('x'); f.flush(); __import__('time').sleep(60)"
    outer = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {inner!r}])"
    program, _ = start("python", "-c", outer)
    with pipe.open() as reader:
        program.join(SECONDS)
        assert program.exitcode == 0
        assert reader.read(1) == "x"
        program.kill()
        assert reader.read() == ""  # the end: nobody writes any more


def test_a_program_ends_with_the_launcher_that_started_it(tmp_path):
    """A launcher that starts a sleeper through the tether, tells its id, and is killed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    sleeper = f"f = open({str(pipe)!r}, 'w'); f.write('x'); f.flush(); __import__('time').sleep(60)"
    command = f"[sys.executable, {tether.__file__!r}, str(os.getpid()), sys.executable, '-c', code]"
    launcher = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import os, subprocess, sys; code = {sleeper!r}; subprocess.run({command})",
        ]
    )
    with pipe.open() as reader:
        assert reader.read(1) == "x"
        launcher.kill()
        launcher.wait(SECONDS)
        assert reader.read() == ""


def test_a_tether_whose_launcher_has_gone_starts_nothing():
    stranger = os.getpid() + 1
    ran = subprocess.run(
        [sys.executable, tether.__file__, str(stranger), sys.executable, "-c", "print('no')"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert "the launcher ended" in ran.stderr


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("", ""),
        ("\n\n", ""),
        ("Traceback\n  File\nValueError: no\n\n", "ValueError: no"),
        ("x" * 9000 + "\nlast", "last"),
    ],
)
def test_the_last_line_of_a_log_is_what_its_process_died_of(tmp_path, text, last):
    log = tmp_path / "log"
    log.write_text(text)
    assert last_line(log) == last


def test_a_log_that_was_never_written_has_no_last_line(tmp_path):
    assert last_line(tmp_path / "none") == ""
