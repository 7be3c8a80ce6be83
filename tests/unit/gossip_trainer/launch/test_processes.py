"""The processes of a local run, from the fork server that they come from."""

import os
import signal
from multiprocessing import forkserver

import pytest

from gossip_api.environment import EXIT_USER_ERROR, ProcessEnvironment
from gossip_api.names import Role
from gossip_trainer.launch.processes import Nursery

pytestmark = [pytest.mark.jobs, pytest.mark.timeout(120)]  # it imports all that workers need


@pytest.fixture
def nursery():
    """Return one whose fork server is its own, and ends with the test."""
    forkserver._forkserver._stop()
    yield Nursery(threads=1)
    forkserver._forkserver._stop()


@pytest.fixture
def environment(tmp_path):
    """Return that of a worker whose job file is missing."""
    return ProcessEnvironment(
        job_file=tmp_path / "missing.yaml",
        job_uid="uid",
        role=Role.WORKER,
        rank=0,
        incarnation=0,
        peers=f"directory:{tmp_path}",
        listen="127.0.0.1:0",
        output=tmp_path,
    )


def test_what_ends_the_launcher_in_order_does_not_end_the_fork_server(
    nursery, environment, tmp_path
):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(forkserver._forkserver._forkserver_pid, number)
    child = nursery.start(environment, tmp_path / "log")
    child.process.join(60)
    assert child.exit_code == EXIT_USER_ERROR
