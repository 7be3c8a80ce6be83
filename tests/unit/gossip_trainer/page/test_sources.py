import pytest

from gossip_trainer.page.sources import UnreadableRun, read_run
from gossip_trainer.report.summarize import summarize
from gossip_trainer.report.summary import write_summary


def test_a_run_that_was_killed_can_be_read_and_says_so(run_folder):
    log = read_run(run_folder, "digits")

    assert log.summary.outcome == "interrupted"
    assert log.summary.workers[2].end == "lost"
    assert log.warnings == ("digits: has no readable summary.json; it goes on, or it was killed",)


def test_the_summary_of_a_run_that_ended_is_its_own(run_folder):
    log = read_run(run_folder, "digits")
    own = summarize(log.history, log.job, state="succeeded", reason="well done")
    write_summary(own, run_folder / "summary.json")

    log = read_run(run_folder, "digits")

    assert (log.summary, log.warnings) == (own, ())


def test_a_last_line_that_was_cut_off_is_left_out_and_told(run_folder):
    events = run_folder / "events.jsonl"
    events.write_bytes(events.read_bytes()[:-10])

    assert (
        "digits: the last line was cut off and was left out"
        in read_run(run_folder, "digits").warnings
    )


def test_lines_that_are_no_records_are_counted_and_told(run_folder):
    events = run_folder / "events.jsonl"
    events.write_bytes(b'{"event":"prog\n\x00\xff\n' + events.read_bytes())

    log = read_run(run_folder, "digits")

    assert "digits: 2 lines are no records and were left out" in log.warnings
    assert len(log.history.evaluations) == 10


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("job.yaml", "job.yaml: is missing or not a job this version can read; name the folder"),
        ("events.jsonl", "events.jsonl: No such file or directory; name the folder of a run"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused_by_its_name(run_folder, name, message):
    (run_folder / name).unlink()

    with pytest.raises(UnreadableRun, match=message):
        read_run(run_folder, "digits")


def test_a_log_without_any_record_is_refused(run_folder):
    (run_folder / "events.jsonl").write_text("")

    with pytest.raises(UnreadableRun, match="holds no record"):
        read_run(run_folder, "digits")
