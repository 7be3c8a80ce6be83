import signal

import pytest
import torch

from gossip_api.names import Role
from gossip_trainer.observability.events import EventTail, Failed
from gossip_trainer.process import main as module
from gossip_trainer.process.main import EXIT_FAILED, EXIT_USER_ERROR, main


@pytest.fixture(autouse=True)
def _keep_this_process_as_it_is(monkeypatch):
    monkeypatch.setattr(torch, "set_num_interop_threads", lambda count: None)
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def environ(tmp_path):
    return {
        "GOSSIP_JOB_FILE": str(tmp_path / "job.yaml"),
        "GOSSIP_JOB_UID": "uid",
        "GOSSIP_ROLE": "worker",
        "GOSSIP_RANK": "3",
        "GOSSIP_INCARNATION": "0",
        "GOSSIP_PEERS": f"directory:{tmp_path}",
        "GOSSIP_LISTEN": "127.0.0.1:0",
        "GOSSIP_OUTPUT": str(tmp_path),
    }


def failure(tmp_path):
    (record,) = EventTail(tmp_path / "events.jsonl").new()
    assert isinstance(record, Failed)
    return record


def test_an_environment_that_makes_no_sense_is_a_user_error_said_on_the_output(capsys):
    assert main({"GOSSIP_RANK": "-1"}) == EXIT_USER_ERROR
    assert "GOSSIP_RANK: got '-1'" in capsys.readouterr().out


def test_a_job_file_that_is_not_there_is_a_user_error_in_the_event_log(environ, tmp_path):
    assert main(environ) == EXIT_USER_ERROR
    record = failure(tmp_path)
    assert (record.user_error, record.source) == (True, "worker-3-0")
    assert "job.yaml" in record.reason


@pytest.fixture
def failing(monkeypatch):
    """Let the worker fail in a given way."""

    def failing(error):
        def run(*_):
            raise error

        monkeypatch.setattr(module, "load_job", lambda path: None)
        monkeypatch.setattr(module, "build_task", lambda job, environment: None)
        monkeypatch.setitem(module.RUNS, Role.WORKER, run)

    return failing


def test_a_fault_of_the_run_is_no_user_error(environ, tmp_path, failing):
    failing(module.GossipTrainerError("no peers"))
    assert main(environ) == EXIT_FAILED
    assert (failure(tmp_path).user_error, failure(tmp_path).reason) == (False, "no peers")


def test_a_fault_nobody_foresaw_is_one_line_in_the_log_and_a_traceback_outside(
    environ, tmp_path, failing
):
    failing(ZeroDivisionError("by zero\nand more"))
    with pytest.raises(ZeroDivisionError):
        main(environ)
    assert failure(tmp_path).reason == "ZeroDivisionError: by zero"


@pytest.mark.parametrize("role", Role)
def test_every_role_has_its_own_part(environ, monkeypatch, role):
    ran = []
    monkeypatch.setattr(module, "load_job", lambda path: None)
    monkeypatch.setattr(module, "build_task", lambda job, environment: "task")
    runs = {each: lambda *given, each=each: ran.append((each, given)) for each in module.RUNS}
    monkeypatch.setattr(module, "RUNS", runs)
    assert main(environ | {"GOSSIP_ROLE": role.value}) == 0
    ((ran_as, (environment, task, _events)),) = ran
    assert (ran_as, environment.role, task) == (role, role, "task")
