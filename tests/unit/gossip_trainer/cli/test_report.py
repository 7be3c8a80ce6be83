import sys
from pathlib import Path

import pytest
from invented_run import records_of_a_run, write_run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gossip_trainer.cli import report as report_command


@pytest.fixture
def run_folder(working_directory) -> Path:
    return write_run(Path("runs") / "digits", records_of_a_run())


def test_the_page_of_a_run_is_put_into_its_folder(gossip, run_folder):
    result = gossip("report", run_folder)

    assert (result.exit_code, result.stdout) == (0, "runs/digits/report.html\n")
    assert (run_folder / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_the_page_of_several_runs_is_put_beside_the_first(gossip, run_folder):
    other = write_run(Path("runs") / "other", records_of_a_run())

    assert gossip("report", run_folder, other).stdout == "runs/report.html\n"


def test_the_page_may_be_put_elsewhere(gossip, run_folder):
    result = gossip("report", run_folder, "--out", "new/page.html")

    assert result.stdout == "new/page.html\n"
    assert Path("new/page.html").exists()


def test_what_is_no_run_is_refused(gossip, working_directory):
    result = gossip("report", "nowhere")

    assert result.exit_code == 2
    assert "nowhere/job.yaml: is missing" in result.stderr
    assert "name the folder of a run" in result.stderr


def test_a_comparison_is_refused_with_what_to_do_instead(gossip, working_directory):
    Path("found").mkdir()
    Path("found/cells.jsonl").touch()

    result = gossip("report", "found")

    assert result.exit_code == 2
    assert "found: is a comparison; give `gossip compare` the same --out again" in result.stderr


def test_a_place_that_cannot_be_written_is_told(gossip, run_folder):
    Path("file").touch()

    result = gossip("report", run_folder, "--out", "file/page.html")

    assert result.exit_code == 2
    assert "file: File exists; name a place you can write to" in result.stderr


def scalars_of(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}


def test_scalars_can_be_read_by_tensorboard(gossip, run_folder):
    assert gossip("report", run_folder, "--tensorboard", "board").exit_code == 0

    evaluation = scalars_of("board/digits/evaluation")
    assert set(evaluation) == {
        "evaluation/loss",
        "evaluation/accuracy",
        "evaluation/consensus_distance",
        "evaluation/relative_consensus_distance",
    }
    first = evaluation["evaluation/consensus_distance"][0]
    assert (first.step, first.value, first.wall_time) == (2700, 0.5, 1_795_000_001.0)
    worker = scalars_of("board/digits/worker-3-0")
    assert [each.step for each in worker["worker/loss"]] == [30 * n for n in range(1, 11)]
    assert worker["worker/received_bytes"][-1].value == 300_000


def test_without_tensorboard_the_command_that_installs_it_is_told(gossip, run_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)

    result = gossip("report", run_folder, "--tensorboard", "board")

    assert result.exit_code == 1
    assert "pip install 'gossip-training[tensorboard]'" in result.stderr


def test_a_run_leaves_its_page_and_says_where(gossip, job_file, launcher):
    result = gossip("run", job_file)

    assert result.exit_code == 0
    assert "report: runs/digits/report.html" in result.stderr
    assert Path("runs/digits/report.html").exists()


def test_a_page_that_cannot_be_written_changes_nothing_about_a_run(
    gossip, job_file, launcher, monkeypatch
):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report_command, "write_run_page", fail)

    result = gossip("run", job_file)

    assert result.exit_code == 0
    expected = (
        "warning: runs/digits/report.html was not written: [Errno 28] No space left on device"
    )
    assert expected in result.stderr
