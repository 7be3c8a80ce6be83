"""A bed ends exactly what it started, and what a crash left is cleared away."""

import os
import subprocess

import pytest
from testbed import lifecycle
from testbed.errors import BedError
from testbed.processes import Processes, Stamp
from testbed.waiting import wait_for


@pytest.fixture
def processes(tmp_path):
    made = Processes(tmp_path)
    yield made
    made.kill(made.names())


@pytest.fixture
def beds(tmp_path, monkeypatch):
    monkeypatch.setattr(lifecycle, "_root", lambda: tmp_path)
    return tmp_path


def dead_process():
    """The stamp of a process that has ended."""
    with subprocess.Popen(["sleep", "600"]) as process:
        stamp = Stamp.of(process.pid)
        process.kill()
    return stamp


def test_a_process_is_alive_until_it_is_stopped(processes):
    processes.start("sleeper", ["sleep", "600"])
    assert processes.is_alive("sleeper")

    processes.stop("sleeper")

    assert not processes.is_alive("sleeper")
    assert processes.names() == []


def test_a_process_that_ignores_the_signal_is_killed(processes, tmp_path):
    processes.start("deaf", ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"])
    wait_for((tmp_path / "log" / "deaf").read_text, "deafness")

    processes.stop("deaf", seconds=0.5)

    assert not processes.is_alive("deaf")


def test_a_later_process_with_the_same_number_is_left_alone(processes, tmp_path):
    with subprocess.Popen(["sleep", "600"]) as other:
        (tmp_path / "processes").mkdir()
        Stamp(other.pid, "1").write(tmp_path / "processes" / "gone")

        assert not processes.is_alive("gone")
        processes.kill(["gone"])

        assert other.poll() is None
        other.kill()


def test_a_process_that_ends_by_itself_is_reported_with_the_end_of_its_log(processes):
    processes.start("broken", ["sh", "-c", "echo no such port >&2; exit 3"])
    with pytest.raises(BedError, match="no such port"):  # noqa: PT012 - it ends in a moment
        while True:
            processes.check("broken")


def test_the_bed_of_a_process_that_has_ended_is_taken_down(beds):
    folder = beds / "control-plane-1"
    folder.mkdir()
    dead_process().write(folder / "owner")
    Processes(folder).start("etcd", ["sleep", "600"])
    stamp = Stamp.read(folder / "processes" / "etcd")

    assert lifecycle.sweep() == [folder]

    assert not folder.exists()
    assert not stamp.is_alive()


def test_the_beds_of_living_processes_and_detached_ones_are_left_alone(beds):
    for name in ("control-plane-1", "control-plane"):
        (beds / name).mkdir()
    Stamp.of(os.getpid()).write(beds / "control-plane-1" / "owner")

    assert lifecycle.sweep() == []
    assert lifecycle.sweep(detached=True) == [beds / "control-plane"]
    assert (beds / "control-plane-1").exists()
