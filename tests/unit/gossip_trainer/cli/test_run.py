import json
import re
import socket
import sys
import urllib.request

import pytest

from gossip_trainer.cli import run as run_command
from gossip_trainer.cli.run import RunRequest, run
from gossip_trainer.errors import RunError
from gossip_trainer.observability.events import Left


def test_a_run_leaves_summary_curves_and_page_and_ends_in_a_table(
    gossip, job_file, launcher, progress
):
    launcher.records.insert(0, progress)

    result = gossip("run", job_file)

    assert result.exit_code == 0
    ((_, options),) = launcher.runs
    assert {path.name for path in options.out.iterdir()} == {
        "curves.png",
        "events.jsonl",
        "job.yaml",
        "report.html",
        "summary.json",
    }
    assert result.stdout.startswith("digits succeeded: ")
    assert "worker-0-0 finished" in result.stdout


def test_the_run_directory_is_named_on_stderr_before_the_run_begins(gossip, job_file, launcher):
    assert gossip("run", job_file).stderr.startswith("run directory: runs/digits\n")


def test_a_second_run_goes_beside_the_first(gossip, job_file, launcher):
    gossip("run", job_file)
    first = (launcher.runs[0][1].out / "summary.json").stat().st_mtime_ns

    result = gossip("run", job_file)

    assert "run directory: runs/digits-2\n" in result.stderr
    assert (launcher.runs[0][1].out / "summary.json").stat().st_mtime_ns == first


def test_an_out_directory_that_holds_something_is_refused_before_anything_runs(
    gossip, job_file, launcher, working_directory
):
    result = gossip("run", job_file, "--out", working_directory)

    assert (result.exit_code, launcher.runs) == (2, [])
    assert result.stderr.startswith(f"error: --out {working_directory}: exists and is not an empty")


def test_an_invalid_job_is_refused_with_all_its_problems(gossip, job_file, launcher):
    result = gossip("run", job_file, "--set", "x", "--set", "y")

    assert (result.exit_code, launcher.runs) == (2, [])
    assert len(result.stderr.splitlines()) == 2


def test_a_failed_run_says_why_in_one_line(gossip, job_file, launcher, outcome):
    launcher.outcome = outcome("failed", "3 workers are left")

    result = gossip("run", job_file)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "run directory: runs/digits",
        "report: runs/digits/report.html",
        "error: the run failed: 3 workers are left (its files: runs/digits)",
    ]


def test_an_interrupted_run_shows_what_there_is(gossip, job_file, launcher, outcome):
    launcher.outcome = outcome("interrupted")

    result = gossip("run", job_file)

    assert result.exit_code == 130
    assert result.stdout.startswith("digits interrupted: interrupted")


def test_a_lost_worker_does_not_fail_the_run_and_is_told(gossip, job_file, launcher):
    launcher.records.append(Left(member="worker-1-0", exit_code=-9, reason="killed by SIGKILL"))

    result = gossip("run", job_file)

    assert result.exit_code == 0
    assert "worker-1-0 was lost: killed by SIGKILL" in result.stderr
    assert "killed by SIGKILL" in result.stdout


@pytest.mark.parametrize(("state", "code"), [("succeeded", 0), ("failed", 1), ("interrupted", 130)])
def test_for_scripts_stdout_holds_the_summary_and_nothing_else(
    gossip, job_file, launcher, outcome, state, code
):
    launcher.outcome = outcome(state)

    result = gossip("run", job_file, "--format", "json")

    assert result.exit_code == code
    document = json.loads(result.stdout)
    assert document["outcome"] == state
    assert document == json.loads((launcher.runs[0][1].out / "summary.json").read_text())


def test_an_error_of_the_launcher_is_one_line(gossip, job_file, launcher):
    launcher.outcome = RunError("cannot start:\n no memory")

    result = gossip("run", job_file)

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "error: cannot start: no memory"


def test_the_exit_code_is_what_the_function_returns(job_file, launcher, capsys):
    assert run(RunRequest(path=job_file)) == 0
    assert capsys.readouterr().out.startswith("digits succeeded")


def test_a_run_is_traced_only_if_that_is_asked_for(gossip, job_file, launcher):
    gossip("run", job_file)
    gossip("run", job_file, "--trace")

    assert [options.trace for _, options in launcher.runs] == [False, True]


def said():
    """Return what the command has written to stderr so far."""
    sys.stderr.flush()
    return sys.stderr.buffer.getvalue().decode()


def test_metrics_are_served_while_the_run_goes_on_and_left_behind(
    gossip, job_file, launcher, monkeypatch, progress
):
    launcher.records.insert(0, progress)
    pages = []

    def run_locally(job, options, watch):
        outcome = launcher(job, options, watch)
        (address,) = re.findall(
            r"^metrics: (http://127\.0\.0\.1:\d+/metrics)$", said(), re.MULTILINE
        )
        with urllib.request.urlopen(address, timeout=10) as answer:
            pages.append(answer.read().decode())
        return outcome

    monkeypatch.setattr(run_command, "run_locally", run_locally)

    result = gossip("run", job_file, "--metrics-port", "0")

    assert result.exit_code == 0
    ((_, options),) = launcher.runs
    assert options.metrics
    assert 'gossip_job_step{job_name="digits",namespace="local"} 10.0\n' in pages[0]
    assert 'state="Succeeded"} 1.0\n' in (options.out / "metrics.prom").read_text()


def test_without_a_port_nobody_serves_metrics(gossip, job_file, launcher):
    result = gossip("run", job_file)

    ((_, options),) = launcher.runs
    assert not options.metrics
    assert "metrics" not in result.stderr


def test_a_metrics_port_that_is_taken_is_refused_before_anything_runs(gossip, job_file, launcher):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        result = gossip("run", job_file, "--metrics-port", port)

    assert (result.exit_code, launcher.runs) == (2, [])
    assert result.stderr.splitlines()[-1] == (
        f"error: --metrics-port {port}: Address already in use; "
        "choose another, or 0 for any that is free"
    )
