import os
import signal
import time
import urllib.request

import pytest
import torch

from gossip_api.environment import EXIT_USER_ERROR
from gossip_api.metrics import processes
from gossip_api.names import Role
from gossip_api.process import LastWords
from gossip_trainer.errors import DataError, GossipTrainerError
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Failed, Fenced, Finished
from gossip_trainer.process import main as module
from gossip_trainer.process.main import main
from gossip_trainer.process.shell import EXIT_FAILED


@pytest.fixture(autouse=True)
def _keep_this_process_as_it_is(monkeypatch):
    monkeypatch.setattr(torch, "set_num_interop_threads", lambda count: None)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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
        monkeypatch.setattr(module, "build_task", lambda *_: None)
        monkeypatch.setitem(module.RUNS, Role.WORKER, run)

    return failing


def test_a_fault_of_the_run_is_no_user_error(environ, tmp_path, failing):
    failing(GossipTrainerError("no peers"))
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
    monkeypatch.setattr(module, "build_task", lambda *_: "task")
    runs = {each: lambda *given, each=each: ran.append((each, given)) for each in module.RUNS}
    monkeypatch.setattr(module, "RUNS", runs)
    assert main(environ | {"GOSSIP_ROLE": role.value}) == 0
    ((ran_as, (shell, task)),) = ran
    assert (ran_as, shell.environment.role, task) == (role, role, "task")


@pytest.fixture
def container(environ, tmp_path):
    """The environment in a container, where last words are asked for."""
    return environ | {"GOSSIP_LAST_WORDS": str(tmp_path / "log"), "GOSSIP_STATUS": "127.0.0.1:0"}


def last_words(tmp_path):
    return LastWords.from_message((tmp_path / "log").read_text())


def running(monkeypatch, run):
    monkeypatch.setattr(module, "load_job", lambda path: None)
    monkeypatch.setattr(module, "build_task", lambda *_: None)
    monkeypatch.setitem(module.RUNS, Role.WORKER, run)


def test_one_that_is_done_says_so_in_its_last_words(container, monkeypatch, tmp_path):
    def run(shell, _task):
        shell.events.emit(Finished(step=5, samples=80, released=True))

    running(monkeypatch, run)
    assert main(container) == 0
    words = last_words(tmp_path)
    assert (words.finished, words.released, words.step, words.reason) == (True, True, 5, None)


def test_one_told_to_go_before_it_trains_goes_at_once_and_has_not_finished(
    container, monkeypatch, tmp_path
):
    running(monkeypatch, lambda *_: os.kill(os.getpid(), signal.SIGTERM) or time.sleep(5))
    assert main(container) == 0
    assert not last_words(tmp_path).finished


def test_without_last_words_a_terminated_process_is_one_that_was_killed(environ, monkeypatch):
    handlers = []
    running(monkeypatch, lambda *_: handlers.append(signal.getsignal(signal.SIGTERM)))
    before = signal.getsignal(signal.SIGTERM)
    main(environ)
    assert handlers == [before]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GossipTrainerError("no peers"), EXIT_FAILED),
        (DataError("no data"), EXIT_USER_ERROR),
    ],
)
def test_one_that_fails_says_why_in_its_last_words(container, failing, tmp_path, error, code):
    failing(error)
    assert main(container) == code
    assert (last_words(tmp_path).finished, last_words(tmp_path).reason) == (False, str(error))


def test_a_fault_nobody_foresaw_is_in_the_last_words_too(container, failing, tmp_path):
    failing(ZeroDivisionError("by zero"))
    with pytest.raises(ZeroDivisionError):
        main(container)
    assert last_words(tmp_path).reason == "ZeroDivisionError: by zero"


def test_even_an_environment_that_makes_no_sense_leaves_last_words(tmp_path, capsys):
    assert main({"GOSSIP_LAST_WORDS": str(tmp_path / "log")}) == EXIT_USER_ERROR
    assert "GOSSIP_JOB_FILE: is not set" in last_words(tmp_path).reason


def test_in_a_container_events_are_lines_of_the_output_as_well(
    container, monkeypatch, tmp_path, capfd
):
    running(monkeypatch, lambda shell, _task: shell.events.emit(Fenced(successor="worker-3-1")))
    main(container)
    assert capfd.readouterr().out == (tmp_path / "events.jsonl").read_text()


@pytest.mark.parametrize("more", [{}, {"GOSSIP_STATUS": "127.0.0.1:0"}])
def test_a_local_process_keeps_its_events_to_the_log(environ, monkeypatch, capfd, more):
    running(monkeypatch, lambda shell, _task: shell.events.emit(Fenced(successor="worker-3-1")))
    main(environ | more)
    assert not capfd.readouterr().out


def test_its_part_knows_where_its_status_and_metrics_are_served(environ, monkeypatch):
    pages = []

    def run(shell, _task):
        status = shell.environment.status
        with urllib.request.urlopen(f"http://{status}/metrics", timeout=10) as answer:
            pages.append(answer.read().decode())

    running(monkeypatch, run)
    assert main(environ | {"GOSSIP_STATUS": "127.0.0.1:0"}) == 0
    assert "\ngossip_worker_steps_total 0.0\n" in pages[0]


@pytest.mark.parametrize("error", [None, GossipTrainerError("no peers")])
def test_the_last_metrics_are_left_however_it_ends(environ, monkeypatch, tmp_path, error):
    def run(shell, _task):
        shell.metrics.instruments.counter(processes.GENERATIONS).inc(3)
        if error is not None:
            raise error

    running(monkeypatch, run)
    main(environ | {"GOSSIP_LAST_METRICS": str(tmp_path / "worker-3-0.prom")})
    page = (tmp_path / "worker-3-0.prom").read_text()
    assert "\ngossip_worker_generations_total 3.0\n" in page


def test_a_process_that_was_replaced_ends_where_it_stands(container, monkeypatch, tmp_path):
    class Ended(BaseException):
        pass

    def end(code):
        raise Ended(code)

    def build(_job, _environment, on_replaced):
        on_replaced("worker-3-1")

    running(monkeypatch, pytest.fail)
    monkeypatch.setattr(module, "build_task", build)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(Ended, match="0"):
        main(container)
    words = last_words(tmp_path)
    assert (words.finished, words.reason) == (False, "replaced by worker-3-1")
