import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossip_trainer.observability.events import (
    Began,
    Evaluation,
    ExchangeLost,
    Failed,
    Finished,
    Left,
    Progress,
    Replaced,
    Started,
    Stopping,
    ViewChanged,
)
from gossip_trainer.report.history import History, fold

PROGRESS = Progress(
    step=10,
    samples=320,
    job_samples=640,
    epoch=0.5,
    loss=1.0,
    learning_rate=0.1,
    samples_per_second=320.0,
    exchanges=9,
    lost=1,
    skipped=0,
    staleness=1.0,
    received_bytes=1,
    sent_bytes=1,
    unpublished=0,
    peers=1,
)
EVALUATION = Evaluation(
    seconds=1.0,
    job_samples=640,
    epoch=0.5,
    averaged=2,
    missed=(),
    loss=1.0,
    accuracy=0.5,
    consensus_distance=0.1,
    relative_consensus_distance=0.1,
    min_step=1,
    max_step=2,
    workers=(),
    final=False,
)


def record(template, time, source, **changes):
    return msgspec.structs.replace(template, time=time, source=source, **changes)


BEGAN = Began(model_from="seed", step=0, job_samples=0)
RUN = [
    Started(time=1.0, source="worker-10-0", pid=1, address="127.0.0.1:1"),
    record(BEGAN, 10.0, "worker-10-0"),
    record(BEGAN, 10.5, "worker-2-0"),
    record(PROGRESS, 11.0, "worker-10-0"),
    record(PROGRESS, 12.0, "worker-10-0", step=20),
    record(PROGRESS, 12.5, "worker-2-0", job_samples=900),
    record(EVALUATION, 12.6, "evaluator-0-0"),
    record(EVALUATION, 13.6, "evaluator-0-0", accuracy=0.7),
    ExchangeLost(time=13.7, source="worker-10-0", peer="worker-2-0", step=21, reason="gone"),
    ExchangeLost(time=13.8, source="worker-10-0", peer="worker-2-0", step=22, reason="gone"),
    Left(time=14.0, source="launcher", member="worker-2-0", exit_code=-9, reason="killed"),
    Replaced(time=14.1, source="launcher", member="worker-2-1", instead_of="worker-2-0"),
    ViewChanged(time=14.2, source="worker-10-0", version=2, ranks=(10,)),
    Stopping(time=20.0, source="worker-10-0", reason="budget", by="x", step=30, job_samples=900),
    Failed(time=20.5, source="evaluator-0-0", reason="disk full"),
    Finished(time=21.0, source="worker-10-0", step=30, samples=960, released=True),
    Left(time=21.1, source="launcher", member="worker-10-0", exit_code=0, reason="ended well"),
]


def test_workers_are_sorted_by_rank_as_a_number_and_not_by_name():
    assert list(fold(RUN).workers) == ["worker-2-0", "worker-10-0"]


def test_evaluator_and_launcher_are_no_workers():
    assert all(name.startswith("worker-") for name in fold(RUN).workers)


def test_each_worker_has_its_own_story():
    worker = fold(RUN).workers["worker-10-0"]

    assert worker.newest is not None
    assert worker.newest.step == 20
    assert worker.steps == 30  # the last word counts, not the last progress
    assert worker.exchange_losses == 2
    assert worker.trained_until == 20.0
    assert not worker.is_lost


def test_a_worker_that_was_killed_is_lost_and_trained_until_its_last_word():
    worker = fold(RUN).workers["worker-2-0"]

    assert worker.is_lost
    assert worker.trained_until == 12.5


def test_time_counts_from_the_first_worker_that_began():
    history = fold(RUN)

    assert history.began_at == 10.0
    assert history.seconds_at(12.6) == pytest.approx(2.6)
    assert history.training_seconds == pytest.approx(10.0)


def test_samples_of_the_job_are_the_largest_lower_bound_that_anybody_told():
    own_counts = [*RUN[:4], record(PROGRESS, 12.5, "worker-2-0", samples=700)]

    assert fold(own_counts).job_samples == 320 + 700
    assert fold(RUN).job_samples == 960 + 320


def test_the_length_of_an_epoch_follows_from_samples_and_epochs():
    assert fold(RUN[:4]).epoch_samples == 1280
    assert fold(RUN[:3]).epoch_samples is None


@settings(max_examples=40)
@given(st.permutations(RUN), st.integers(0, len(RUN)))
def test_neither_the_order_of_records_nor_how_they_arrive_in_parts_matters(records, cut):
    assert fold(records[cut:], fold(records[:cut])) == fold(RUN)


@pytest.mark.parametrize("length", range(len(RUN)))
def test_a_log_that_ends_anywhere_has_a_history(length):
    history = fold(RUN[:length])

    assert history.training_seconds >= 0
    assert history.job_samples >= 0


def test_nothing_told_is_an_empty_history():
    history = fold([])

    assert history == History()
    assert history.began_at is None
    assert history.training_seconds == 0.0
    assert history.job_samples == 0


def test_the_latest_of_a_history_forgets_old_progress_only():
    latest = fold(RUN).latest()

    assert [len(worker.progress) for worker in latest.workers.values()] == [1, 1]
    assert latest.job_samples == fold(RUN).job_samples
    assert latest.evaluations == fold(RUN).evaluations
