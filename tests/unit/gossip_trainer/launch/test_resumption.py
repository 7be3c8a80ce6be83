import json

import pytest

from gossip_api.checkpoint import Checkpoint, Storage
from gossip_trainer.errors import RunError
from gossip_trainer.launch.resumption import check_resumable, check_unfinished, make_ready
from gossip_trainer.observability.event_log import EventLog, EventTail
from gossip_trainer.observability.events import Started


@pytest.fixture
def saving_job(job):
    checkpoint = Checkpoint(storage=Storage(claim_name="any"))
    return job.model_copy(update={"spec": job.spec.model_copy(update={"checkpoint": checkpoint})})


def log(out, *members):
    for member in members:
        events = EventLog(out / "events.jsonl", member)
        events.emit(Started(pid=1, address="127.0.0.1:1"))
        events.close()


def test_processes_begin_with_incarnations_that_nobody_had(tmp_path):
    log(tmp_path, "worker-0-0", "worker-1-0", "worker-1-2", "evaluator-0-0")
    assert make_ready(tmp_path) == 3
    log(tmp_path, "worker-0-3", "worker-1-3")
    assert make_ready(tmp_path) == 4
    assert make_ready(tmp_path) == 4


def test_what_was_told_before_is_kept_beside(tmp_path):
    log(tmp_path, "worker-0-0")
    make_ready(tmp_path)
    log(tmp_path, "worker-0-1")
    make_ready(tmp_path)
    assert not (tmp_path / "events.jsonl").exists()
    sources = [
        [record.source for record in EventTail(tmp_path / f"events-{number}.jsonl").new()]
        for number in range(2)
    ]
    assert sources == [["worker-0-0"], ["worker-0-1"]]


def test_addresses_of_processes_that_are_gone_are_forgotten(tmp_path):
    log(tmp_path, "worker-0-0")
    (tmp_path / "peers").mkdir()
    (tmp_path / "peers" / "worker-0-0").write_text("127.0.0.1:1")
    make_ready(tmp_path)
    assert not (tmp_path / "peers").exists()


def test_a_job_without_checkpoints_is_not_resumed(tmp_path, job):
    with pytest.raises(RunError, match=r"has no spec\.checkpoint, so nothing was saved"):
        check_resumable(job, tmp_path)


def test_a_run_of_which_no_worker_has_saved_is_not_resumed(tmp_path, saving_job):
    (tmp_path / "checkpoints" / "last" / "step-000000000001").mkdir(parents=True)
    with pytest.raises(RunError, match="no worker has saved anything"):
        check_resumable(saving_job, tmp_path)


def test_one_of_which_a_worker_has_saved_is(tmp_path, saving_job):
    folder = tmp_path / "checkpoints" / "worker-1" / "step-000000000009"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    check_resumable(saving_job, tmp_path)


def summary(out, outcome):
    (out / "summary.json").write_text(json.dumps({"outcome": outcome}))


def test_a_run_that_came_to_its_end_is_not_resumed_but_shown_what_can_be_done_with_it(tmp_path):
    summary(tmp_path, "succeeded")
    with pytest.raises(
        RunError, match=r"has come to its end.*--set training\.budget.*gossip export"
    ):
        check_unfinished(tmp_path)


@pytest.mark.parametrize("outcome", [None, "interrupted", "failed"])
def test_any_other_run_is_unfinished(tmp_path, outcome):
    if outcome is not None:
        summary(tmp_path, outcome)
    check_unfinished(tmp_path)


def test_a_resumed_run_is_unfinished_whatever_the_one_before_came_to(tmp_path):
    summary(tmp_path, "succeeded")
    make_ready(tmp_path)
    check_unfinished(tmp_path)
