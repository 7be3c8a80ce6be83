import json
from pathlib import Path

import pytest
import torch

from gossip_trainer.cli import replay as replay_command
from gossip_trainer.observability.event_log import EventLog
from gossip_trainer.replay.replay import Replay
from gossip_trainer.replay.worker import Mismatch

ALL_REDUCE = "type: AllReduce, allReduce: {allowPlaintext: true}"
MEMBERS = ("worker-0-0", "worker-1-0", "server-0-0")
DIFFERENT = (Mismatch("worker-1-0", 7), Mismatch("worker-0-0", 9))


@pytest.fixture
def run_directory(job_file) -> Path:
    """A finished run that was not traced."""
    directory = Path("finished")
    directory.mkdir()
    job_file.rename(directory / "job.yaml")
    EventLog(directory / "events.jsonl", "worker-0-0").close()
    return directory


@pytest.fixture
def found(monkeypatch, run_directory):
    """Let a replay find what the test says; it plays nothing."""

    def say(*mismatches):
        seen = Replay(MEMBERS, published=1234, mismatches=mismatches)
        monkeypatch.setattr(replay_command, "replay", {run_directory: seen}.__getitem__)

    return say


@pytest.fixture
def _threads():
    """A replay sets torch's number of threads; give it back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_run_that_came_out_the_same_is_told_in_one_line(gossip, run_directory, found):
    found()
    result = gossip("replay", run_directory)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "3 processes, 1,234 published models: all equal to the bit\n"


def test_a_run_that_did_not_names_the_first_difference_and_fails(gossip, run_directory, found):
    found(*DIFFERENT)
    result = gossip("replay", run_directory)

    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout == (
        "3 processes, 1,234 published models: 2 differ, the first of them worker-1-0's at step 7\n"
    )


@pytest.mark.parametrize(("mismatches", "code"), [((), 0), (DIFFERENT, 1)])
def test_for_scripts_stdout_holds_all_differences_and_nothing_else(
    gossip, run_directory, found, mismatches, code
):
    found(*mismatches)
    result = gossip("replay", run_directory, "--format", "json")

    assert (result.exit_code, result.stderr) == (code, "")
    assert json.loads(result.stdout) == {
        "members": list(MEMBERS),
        "published": 1234,
        "mismatches": [[mismatch.member, mismatch.step] for mismatch in mismatches],
    }


@pytest.mark.parametrize("named", [".", "nowhere", "job.yaml"])
def test_what_is_not_the_directory_of_a_run_is_invalid_input(gossip, job_file, named):
    result = gossip("replay", named)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"error: {named}: holds no events.jsonl; name the directory of a run\n"
    )


def test_a_run_whose_job_is_not_there_is_invalid_input(gossip, run_directory):
    (run_directory / "job.yaml").unlink()
    result = gossip("replay", run_directory)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("finished/job.yaml: cannot be read")


@pytest.mark.usefixtures("_threads")
def test_a_run_that_was_not_traced_is_told_how_to_trace_it(gossip, run_directory):
    result = gossip("replay", run_directory)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: the run was not traced; run it with `gossip run --trace`\n"


def test_a_run_that_averages_collectively_is_not_replayed_and_told_why(gossip, run_directory):
    job = run_directory / "job.yaml"
    job.write_text(job.read_text().replace("type: Gossip", ALL_REDUCE))
    result = gossip("replay", run_directory)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: finished: AllReduce averages in torch.distributed, which is not replayed\n"
    )
