"""Whole runs whose workers meet in collectives, and lose or gain one."""

import os
import signal
import time
from collections import defaultdict

import pytest

from gossip_trainer.observability.events import (
    Began,
    ExchangeLost,
    Failed,
    Finished,
    Left,
    Progress,
    Reformed,
    Started,
)
from gossip_trainer.process.evaluator import POLL_SECONDS

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(150)]

ALL_REDUCE = {"type": "AllReduce", "allReduce": {"allowPlaintext": True}}
LOCAL_SGD = {"type": "LocalSGD", "localSGD": {"period": 10, "allowPlaintext": True}}


class Blow:
    """Sends a signal to some workers once all have taken `steps` steps."""

    def __init__(self, *victims, number=signal.SIGKILL, steps=50, num_workers=3):
        self._victims, self._number = victims, number
        self._steps, self._num_workers = steps, num_workers
        self._pids, self._progress = {}, {}
        self.at = None

    def __call__(self, records):
        for record in records:
            if isinstance(record, Started):
                self._pids[record.source] = record.pid
            if isinstance(record, Progress) and record.step >= self._steps:
                self._progress[record.source] = record.step
        if self.at is None and len(self._progress) == self._num_workers:
            self.at = time.time()
            for victim in self._victims:
                os.kill(self._pids[victim], self._number)


@pytest.fixture
def meet(run_job, digits):
    def meet(blow, strategy=ALL_REDUCE, *, least=1, samples=30_000, **options):
        workers = {"replicas": 3, "minReplicas": least}
        document = digits(strategy=strategy, workers=workers, training__budget={"samples": samples})
        return run_job(document, blow, **options)

    return meet


def generations(run):
    """Return the records of every group by its number; all members must tell the same."""
    found = defaultdict(list)
    for record in run.of(Reformed):
        found[record.generation].append(record)
    for records in found.values():
        assert len({(r.ranks, r.step, r.digest) for r in records}) == 1
    return dict(found)


def last_group(run):
    return max(run.of(Reformed), key=lambda record: record.generation)


@pytest.mark.parametrize("victim", ["worker-2-0", "worker-0-0"], ids=["any", "the store's host"])
def test_who_is_left_goes_on_within_seconds_from_the_last_completed_step(meet, victim):
    blow = Blow(victim)
    run = meet(blow)

    assert run.outcome.state == "succeeded"
    lost = {record.step for record in run.of(ExchangeLost) if record.peer == "group"}
    group = last_group(run)
    assert group.step == max(lost)
    assert len(group.ranks) == 2
    assert group.time - blow.at < 5.0
    generations(run)
    assert len({record.step for record in run.of(Finished)}) == 1
    assert run.final.consensus_distance == 0.0
    assert run.final.accuracy >= 0.9


def test_two_that_are_killed_at_once_leave_one_that_goes_on(meet):
    run = meet(Blow("worker-0-0", "worker-1-0"))

    assert run.outcome.state == "succeeded"
    assert last_group(run).ranks == (2,)
    # What the lost two did since the evaluator last asked them nobody else can tell.
    rate = run.final.job_samples / run.final.seconds
    assert run.final.job_samples >= 30_000 - rate * POLL_SECONDS


@pytest.mark.parametrize("strategy", [ALL_REDUCE, LOCAL_SGD], ids=["all-reduce", "local SGD"])
def test_a_replacement_enters_a_new_group_with_all_that_the_others_have(meet, strategy):
    run = meet(Blow("worker-0-0"), strategy, samples=60_000, replace_lost=True)

    assert run.outcome.state == "succeeded"
    group = last_group(run)
    assert group.ranks == (0, 1, 2)
    (copied,) = [r for r in run.of(Reformed) if r.source == "worker-0-1"]
    assert copied.donor in {"worker-1-0", "worker-2-0"}
    assert len(generations(run)[group.generation]) == 3
    (began,) = [record for record in run.of(Began) if record.source == "worker-0-1"]
    assert (began.model_from, began.step) == (copied.donor, copied.step)
    assert began.step > 0
    assert {record.source for record in run.of(Finished)} == {
        "worker-0-1",
        "worker-1-0",
        "worker-2-0",
    }
    assert len({record.step for record in run.of(Finished)}) == 1


def test_who_is_told_to_leave_goes_after_its_step_and_the_others_go_on(meet):
    run = meet(Blow("worker-1-0", number=signal.SIGTERM))

    assert run.outcome.state == "succeeded"
    (left,) = [record for record in run.of(Finished) if record.left]
    assert left.source == "worker-1-0"
    group = last_group(run)
    assert (group.ranks, group.step) == ((0, 2), left.step)
    assert not [record for record in run.of(ExchangeLost) if record.peer == "group"]
    assert run.final.consensus_distance == 0.0


def test_below_the_least_number_training_pauses_until_the_replacement_is_there(meet):
    run = meet(Blow("worker-1-0"), least=3, samples=60_000, replace_lost=True)

    assert run.outcome.state == "succeeded"
    found = generations(run)
    assert [records[0].ranks for records in found.values()] == [(0, 1, 2)] * 2
    assert not run.of(Failed)


def test_below_the_least_number_without_a_replacement_the_run_fails_and_says_whom_it_lost(meet):
    run = meet(Blow("worker-2-0"), least=3, samples=10_000_000)

    assert run.outcome.state == "failed"
    assert "worker-2-0 was killed by SIGKILL" in run.outcome.reason
    assert [left.member for left in run.of(Left)] == ["worker-2-0"]
