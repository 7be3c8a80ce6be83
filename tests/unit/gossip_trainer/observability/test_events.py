import math
from typing import get_args

import msgspec
import pytest

from gossip_trainer.observability.event_log import EventLog, EventTail
from gossip_trainer.observability.events import (
    Began,
    Called,
    Evaluation,
    ExchangeLost,
    Failed,
    Fenced,
    Finished,
    Left,
    Progress,
    Record,
    Reformed,
    Replaced,
    Saved,
    Started,
    Stopping,
    Unsaved,
    ViewChanged,
    WorkerModel,
)

PROGRESS = Progress(
    step=1,
    samples=2,
    job_samples=3,
    epoch=0.5,
    loss=1.5,
    learning_rate=0.1,
    samples_per_second=9.5,
    exchanges=4,
    lost=5,
    skipped=6,
    staleness=-1.5,
    received_bytes=7,
    sent_bytes=8,
    unpublished=9,
    peers=10,
)
EVALUATION = Evaluation(
    seconds=1.5,
    job_samples=2,
    epoch=0.25,
    averaged=3,
    missed=("worker-1-0",),
    loss=0.5,
    accuracy=0.75,
    consensus_distance=1e-3,
    relative_consensus_distance=1e-6,
    min_step=4,
    max_step=5,
    workers=(WorkerModel("worker-0-0", 4, 0.25, 0.5),),
    final=True,
)
RECORDS = [
    Started(pid=4711, address="127.0.0.1:80"),
    Began(model_from="seed", step=0, job_samples=0),
    PROGRESS,
    ExchangeLost(peer="worker-1-0", step=3, reason="it hung up\nin the middle"),
    ViewChanged(version=2, ranks=(0, 1, 7)),
    EVALUATION,
    Stopping(reason="budget", by="worker-2-0", step=9, job_samples=99),
    Finished(step=9, samples=33, released=True),
    Left(member="worker-1-0", exit_code=-9, reason="was killed by SIGKILL"),
    Replaced(member="worker-1-1", instead_of="worker-1-0"),
    Saved(where="runs/digits/checkpoints/worker-0/step-000000001234", seconds=0.4),
    Unsaved(reason="s3://bucket/digits: cannot be saved: no answer"),
    Failed(reason="nicht genügend Platz", user_error=True),
    Called(call="published", step=7, learning_rate=0.1 + 0.2, digest="00ff", finished=True),
    Reformed(generation=2, ranks=(0, 2), step=7, digest="00ff", donor="worker-2-0"),
    Fenced(successor="worker-3-1"),
]


def stamped(record, time=12.5, source="worker-3-0"):
    return msgspec.structs.replace(record, time=time, source=source)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


@pytest.fixture
def log(path):
    log = EventLog(path, "worker-3-0", clock=lambda: 12.5)
    yield log
    log.close()


def test_there_is_a_record_of_every_kind_in_these_tests():
    assert {type(record) for record in RECORDS} == set(get_args(Record))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_is_read_as_it_was_written_with_time_and_source(log, path, record):
    log.emit(record)
    assert list(EventTail(path).new()) == [stamped(record)]


def test_a_record_is_one_line_of_json_that_names_its_kind(log, path):
    log.emit(RECORDS[3])
    (line,) = path.read_bytes().splitlines()
    assert msgspec.json.decode(line)["event"] == "exchange_lost"


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (PROGRESS, "loss"),
        (PROGRESS, "staleness"),
        (EVALUATION, "loss"),
        (EVALUATION, "consensus_distance"),
        (EVALUATION, "relative_consensus_distance"),
    ],
)
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_may_be_not_finite_is_null_in_the_log(log, path, record, field, value):
    log.emit(msgspec.structs.replace(record, **{field: value}))
    (found,) = EventTail(path).new()
    assert getattr(found, field) is None


def test_records_of_several_processes_share_one_file(log, path):
    other = EventLog(path, "evaluator-0-0", clock=lambda: 13.0)
    log.emit(RECORDS[0])
    other.emit(RECORDS[0])
    log.emit(RECORDS[7])
    other.close()
    assert [record.source for record in EventTail(path).new()] == [
        "worker-3-0",
        "evaluator-0-0",
        "worker-3-0",
    ]


def test_a_log_goes_on_where_an_earlier_one_ended(log, path):
    log.emit(RECORDS[0])
    again = EventLog(path, "worker-3-0")
    again.emit(RECORDS[7])
    again.close()
    assert len(list(EventTail(path).new())) == 2


def test_a_tail_gives_every_record_once(log, path):
    tail = EventTail(path)
    assert list(tail.new()) == []
    log.emit(RECORDS[0])
    log.emit(RECORDS[1])
    assert list(tail.new()) == [stamped(RECORDS[0]), stamped(RECORDS[1])]
    assert list(tail.new()) == []
    log.emit(RECORDS[6])
    assert list(tail.new()) == [stamped(RECORDS[6])]


def test_a_file_that_is_not_there_yet_has_no_records(path):
    assert list(EventTail(path).new()) == []


def test_a_torn_last_line_is_left_until_it_is_complete(log, path):
    log.emit(RECORDS[0])
    log.emit(RECORDS[7])
    whole = path.read_bytes()
    tail = EventTail(path)
    path.write_bytes(whole[:-20])
    assert list(tail.new()) == [stamped(RECORDS[0])]
    assert list(tail.new()) == []
    path.write_bytes(whole)
    assert list(tail.new()) == [stamped(RECORDS[7])]
