import msgspec
import pytest

from gossip_trainer.errors import ProgressError
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.progress.shared import NEVER_HEARD, JobProgress


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(clock):
    def make(rank=None, incarnation=0, at=1000.0):
        progress = JobProgress(clock)
        if rank is not None:
            progress.begin(rank, incarnation, at)
        return progress

    return make


def tell(sender, receiver, name="worker-9-0"):
    receiver.receive(name, sender.send())


def test_a_process_counts_its_own_samples_at_once(make):
    worker = make(0)
    worker.count(32)
    worker.count(32)
    assert (worker.samples, worker.own_samples) == (64, 64)


def test_what_one_sends_another_receives(make):
    sender, receiver = make(0, at=1000.0), make(1, at=1001.0)
    sender.count(10)
    receiver.count(5)
    sender.end(StopReason.TARGET, "worker-0-0", at=1009.0)
    tell(sender, receiver)
    assert (receiver.samples, receiver.own_samples) == (15, 5)
    assert receiver.began == 1000.0
    assert (receiver.stop.by, receiver.stop.reason) == ("worker-0-0", StopReason.TARGET)


def test_counts_that_come_back_as_an_echo_are_not_counted_twice(make):
    a, b = make(0), make(1)
    a.count(10)
    tell(a, b)
    a.count(7)
    for _ in range(3):
        tell(b, a)
        tell(a, b)
    assert (a.samples, b.samples) == (17, 17)


def test_hearing_the_same_again_changes_nothing(make):
    a, b = make(0), make(1)
    a.count(10)
    blob = a.send()
    for _ in range(3):
        b.receive("worker-0-0", blob)
    assert b.samples == 10


def test_counts_reach_those_who_never_met(make):
    a, b, c = make(0), make(1), make(2)
    a.count(10)
    tell(a, b)
    tell(b, c)
    assert c.samples == 10


@pytest.mark.parametrize(("incarnation", "at"), [(0, 1500.0), (1, 1500.0), (1, 900.0)])
def test_a_restarted_process_carries_the_count_of_the_one_before(make, incarnation, at):
    before, peer, after = make(0), make(1), make()
    before.count(10)
    tell(before, peer)
    tell(peer, after)
    after.begin(0, incarnation, at)
    assert (after.samples, after.own_samples) == (10, 0)
    after.count(3)
    tell(after, peer)
    assert peer.samples == 13


def test_a_process_that_hears_late_of_the_one_before_counts_it_once(make):
    before, peer, after = make(0), make(1), make(0, incarnation=1, at=1500.0)
    before.count(10)
    after.count(3)
    tell(before, peer)
    for _ in range(2):
        tell(peer, after)
        tell(after, peer)
    assert (after.samples, peer.samples) == (13, 13)


def test_a_replaced_process_that_still_runs_does_not_count_itself_twice(make):
    slow, peer, replacement = make(0), make(1), make()
    slow.count(100)
    tell(slow, peer)
    tell(peer, replacement)
    replacement.begin(0, 1, 1500.0)
    tell(replacement, slow, "worker-0-1")
    assert slow.samples == 100
    slow.count(1)
    assert slow.samples == 101


def test_one_that_has_not_begun_hears_and_passes_on(make):
    evaluator, a, b = make(), make(0), make(1)
    a.count(4)
    tell(a, evaluator)
    tell(evaluator, b)
    assert (evaluator.samples, evaluator.own_samples, b.samples) == (4, 0, 4)


def test_the_evaluators_release_is_heard(make, clock):
    evaluator, worker = make(), make(0)
    assert worker.evaluator_heard == NEVER_HEARD
    tell(evaluator, worker, "evaluator-0-0")
    assert (worker.released, worker.evaluator_heard) == (False, 50.0)
    evaluator.release()
    clock.now = 60.0
    tell(evaluator, worker, "evaluator-0-1")
    assert (worker.released, worker.evaluator_heard) == (True, 60.0)


def test_a_release_is_not_taken_back(make):
    released, silent, worker = make(), make(), make(0)
    released.release()
    tell(released, worker, "evaluator-0-0")
    tell(silent, worker, "evaluator-0-1")
    assert worker.released


def test_nobody_but_the_evaluator_releases(make):
    pretender, worker = make(1), make(0)
    pretender.release()
    tell(pretender, worker, "worker-1-0")
    assert (worker.released, worker.evaluator_heard) == (False, NEVER_HEARD)


def packed(value):
    return msgspec.msgpack.encode(value)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\xc1",
        b"text",
        packed(17),
        packed([[0.0, []]]) + b"x",
        packed([["soon", []]]),
        packed([[0.0, [[0, 0, 1]]]]),
        packed([[0.0, [[0, 0, 0, "many"]]]]),
        packed([[0.0, [], [1.0, "worker-0-0", "boredom"]]]),
        packed([[0.0, []], "yes"]),
    ],
)
def test_counters_that_make_no_sense_are_an_error_that_names_the_sender(make, blob):
    worker = make(0)
    worker.count(5)
    with pytest.raises(ProgressError, match="'worker-3-0' sent counters that make no sense"):
        worker.receive("worker-3-0", blob)
    assert (worker.samples, worker.stop, worker.began) == (5, None, 1000.0)


@pytest.mark.parametrize("row", [[0, 0, 0, -7], [0, 0, -7, 0], [0, -1, 0, 7], [-1, 0, 0, 7]])
def test_negative_counters_are_an_error(make, row):
    with pytest.raises(ProgressError):
        make(1).receive("worker-3-0", packed([[0.0, [row]]]))


def test_a_sender_that_is_no_member_is_an_error_and_is_not_believed(make):
    sender, worker = make(1), make(0)
    sender.count(10)
    with pytest.raises(ProgressError, match="'stranger'"):
        tell(sender, worker, "stranger")
    assert worker.samples == 0


def test_every_process_is_told_of_once_when_it_is_first_heard_of(make, clock):
    told = []
    progress = JobProgress(clock, lambda rank, incarnation: told.append((rank, incarnation)))
    first, second = make(1, 0), make(1, 2)
    second.receive("worker-1-0", first.send())
    for _ in range(2):
        tell(first, progress)
        tell(second, progress)
    assert told == [(1, 0), (1, 2)]
