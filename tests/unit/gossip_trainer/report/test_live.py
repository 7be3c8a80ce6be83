import io

import pytest
from rich.console import Console

from gossip_trainer.observability.events import Started
from gossip_trainer.report.history import fold
from gossip_trainer.report.live import live_view, state, status_line

BEGIN = 1_000_000.0


def shown(history, job, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(live_view(history, job))
    return console.file.getvalue()


def test_there_is_one_row_per_worker_with_its_newest_numbers(began, progress, job):
    records = [began(), progress(at=1.0), progress(at=1.0, source="worker-1-0", staleness=None)]

    rows = [line.split() for line in shown(fold(records), job()).splitlines()[-2:]]

    numbers = ["90", "0", "9", "MB", "8", "MB"]
    assert rows == [
        ["worker-0-0", "training", "100", "0.5", "3,200", "1.5", *numbers],
        ["worker-1-0", "-", "100", "0.5", "3,200", "-", *numbers],
    ]


def test_the_header_tells_job_strategy_progress_and_time_left(began, progress, job):
    text = shown(fold([began(), progress(at=4.0)]), job(budget={"samples": 12_800}))

    assert text.startswith("digits  Gossip, 50% after 4 s, 4 s left\n")


def test_the_newest_evaluation_is_shown(began, evaluation, job):
    history = fold([began(), evaluation(at=1.0), evaluation(at=2.0, seconds=2.0, accuracy=0.95)])

    text = shown(history, job(), width=100)

    assert "averaged model after 2 s: accuracy 95.00%, loss 0.4, consensus distance 0.25\n" in text


def test_a_job_without_any_record_is_starting(job):
    text = shown(fold([]), job())

    assert "starting" in text
    assert "no evaluation yet" in text


def test_large_numbers_fit_into_80_characters(began, progress, job):
    big = progress(
        at=1.0, step=99_999, exchanges=99_998, received_bytes=10**12 // 7, sent_bytes=10**12 // 7
    )

    assert "\u2026" not in shown(fold([began(), big]), job())


def test_a_worker_goes_from_ready_to_finished(began, progress, stopping, finished):
    started = Started(time=BEGIN - 1, source="worker-0-0", pid=1, address="127.0.0.1:1")
    records = [started, began(), progress(at=1.0), stopping(at=2.0), finished(at=3.0)]

    states = [
        state(fold(records[:n]).workers["worker-0-0"], records[n - 1].time) for n in range(1, 6)
    ]

    assert states == ["ready", "training", "training", "stopping", "finished"]


def test_a_worker_that_died_is_lost(began, left):
    history = fold([began(source="worker-1-0"), left()])

    assert state(history.workers["worker-1-0"], BEGIN) == "lost"


def test_a_worker_that_tells_nothing_for_a_while_is_silent(began, progress):
    worker = fold([began(), progress(at=1.0)]).workers["worker-0-0"]

    assert state(worker, BEGIN + 3.9) == "training"
    assert state(worker, BEGIN + 9.0) == "silent 8 s"


@pytest.mark.parametrize(("lost", "end"), [(0, "6,400 samples/s"), (2, ", 4 exchanges lost")])
def test_the_status_line_sums_up_the_workers_that_train(began, progress, left, job, lost, end):
    records = [
        began(),
        progress(at=1.0, loss=0.2, lost=lost),
        progress(at=1.0, source="worker-2-0", loss=0.4, lost=lost, step=110),
        progress(at=1.0, source="worker-1-0", loss=9.0),
        left(at=1.0),
    ]

    line = status_line(fold(records), job(budget={"samples": 12_800}))

    assert line.startswith("75% after 1 s, 0 s left, 2 workers at step 110, loss 0.3, 6,400")
    assert line.endswith(end)
