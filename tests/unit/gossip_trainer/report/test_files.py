import msgspec

from gossip_trainer.observability.event_log import EventLog
from gossip_trainer.report.files import write_report


def test_the_report_is_made_from_the_event_log_and_lists_all_files(
    tmp_path, job, began, progress, evaluation
):
    log = EventLog(tmp_path / "events.jsonl", "worker-0-0", clock=lambda: 5.0)
    for record in (began(), progress(), evaluation()):
        log.emit(record)
    log.close()
    (tmp_path / "logs").mkdir()
    (tmp_path / ".lock").touch()  # which nobody is to look at

    summary = write_report(tmp_path, job(), state="succeeded", reason=None)

    assert summary.files == ("curves.png", "events.jsonl", "summary.json")
    assert msgspec.json.decode((tmp_path / "summary.json").read_bytes())["evaluations"] == 1
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_a_run_that_left_no_log_has_a_report_all_the_same(tmp_path, job):
    summary = write_report(tmp_path, job(), state="failed", reason="nothing started")

    assert summary.reason == "nothing started"
    assert (tmp_path / "curves.png").exists()
