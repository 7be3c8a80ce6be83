"""The step boundary of workers that meet: what they agree on, and what a lost member costs."""

from datetime import timedelta

import pytest
import torch
from lone_worker import LEARNING_RATE, build_worker

from gossip_api.training import Budget
from gossip_trainer.algorithms.all_reduce import AllReduce
from gossip_trainer.algorithms.local_sgd import LocalSGD
from gossip_trainer.errors import CollectiveError
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.training.boundary import Turn
from gossip_trainer.training.collective import Agreement
from gossip_trainer.training.news import drive

# Agreement of a collective


class Hall:
    """Where the workers of a test average their vectors, one meeting after the other."""

    def __init__(self, size):
        self.size, self._meeting = size, []

    def enter(self, vector, samples, wishes):
        meeting = self._meeting
        meeting.append((vector.clone(), samples, wishes))
        if len(meeting) == self.size:
            self._meeting = []
        return meeting


class Attendant:
    """One worker's way into the hall; `afterwards` runs when it leaves."""

    def __init__(self, hall):
        self._hall, self.size = hall, hall.size
        self.afterwards = lambda: None
        self.num_formed = 0
        self.has_left = False

    def form(self, state, is_over):
        del state
        while self._hall.size > self._num_staying:
            yield 0.0
        self.num_formed += 1
        self.size = self._hall.size
        return not is_over()

    def leave(self):
        self.has_left = True
        self._hall.size = 1

    def begin(self, vector, *, samples, wishes):
        self._vector = vector
        self._meeting = self._hall.enter(vector, samples, wishes)

    def is_ready(self):
        return len(self._meeting) == self.size

    def finish(self):
        vectors, samples, wishes = zip(*self._meeting, strict=True)
        stops, leaves, saves = zip(*wishes, strict=True)
        self._vector.copy_(torch.stack(vectors).mean(dim=0))
        self._num_staying = self.size - sum(leaves)
        self.afterwards()
        return Agreement(sum(samples), any(stops), any(leaves), any(saves))

    def received_bytes(self, num_bytes):
        return 3 * num_bytes


def life(worker, gradient):
    """Train to the end, pausing wherever the worker waits and after every step."""
    going = True
    while going:
        worker.boundary.begin_step()
        worker.model.gradient.fill_(gradient)
        yield from worker.boundary.gradient_ready(samples=8)
        worker.optimizer.step()
        going = yield from worker.boundary.step_done(0.5)
        yield 0.0
    yield from worker.boundary.finish()


def ways_of(workers):
    return [worker.boundary._links.collective for worker in workers]


@pytest.fixture
def run_together():
    """Run two workers that meet to their end; return them with their numbers of steps."""

    def run(make=AllReduce, *, before_turn=lambda workers: None, pace=(0, 0), **limits):
        hall = Hall(2)
        ways = [Attendant(hall) for _ in range(2)]
        workers = [
            build_worker(make, rank=rank, collective=way, **limits) for rank, way in enumerate(ways)
        ]
        for worker, way, seconds in zip(workers, ways, pace, strict=True):
            way.afterwards = lambda wall=worker.wall, seconds=seconds: wall.advance(seconds)
        lives = [life(worker, float(rank)) for rank, worker in enumerate(workers)]
        for _ in range(500):
            before_turn(workers)
            ended = [next(each, "ended") for each in lives]
            if ended == ["ended"] * 2:
                return workers, [worker.boundary.counters.steps for worker in workers]
        return pytest.fail("somebody waits for ever")

    return run


def local_sgd(period):
    n = build_worker().model.layout.num_parameters
    plain = {"learning_rate": 1.0, "momentum": 0.0, "nesterov": False}
    return lambda rank, view: LocalSGD(rank, view, n, period=period, **plain)


def test_all_members_of_a_collective_count_the_same_samples_and_stop_at_the_same_step(run_together):
    workers, steps = run_together(budget=Budget(samples=70))
    assert steps == [5, 5]  # 16 samples a step
    assert [worker.boundary.job_samples for worker in workers] == [80, 80]
    assert torch.equal(workers[0].x, workers[1].x)


def test_all_members_of_a_collective_step_with_the_mean_gradient(run_together):
    start = build_worker().x.clone()
    workers, _ = run_together(budget=Budget(steps_per_worker=2))
    n = workers[0].model.layout.num_parameters
    torch.testing.assert_close(workers[0].x[:n], start[:n] - 2 * LEARNING_RATE * 0.5)


def test_what_a_collective_brings_is_counted(run_together):
    workers, _ = run_together(budget=Budget(steps_per_worker=2))
    num_bytes = workers[0].model.gradient.nbytes
    counters = workers[0].boundary.counters
    assert (counters.exchanges, counters.lost) == (2, 0)
    assert counters.received_bytes == counters.sent_bytes == 2 * 3 * num_bytes


def test_between_two_meetings_all_members_count_the_others_as_themselves(run_together):
    workers, steps = run_together(local_sgd(period=4), budget=Budget(samples=16 * 10))
    assert steps == [10, 10]
    assert [worker.boundary.job_samples for worker in workers] == [160, 160]
    assert [worker.progress.stop.reason for worker in workers] == [StopReason.BUDGET] * 2


def end_after_step_3(workers):
    if workers[1].boundary.counters.steps == 3:
        workers[1].progress.end(StopReason.TARGET, "evaluator-0-0", at=1.0)


def leave_after_step_3(workers):
    if workers[1].boundary.counters.steps == 3:
        workers[1].boundary.leave()


@pytest.mark.parametrize(("make", "last"), [(AllReduce, 4), (local_sgd(period=5), 5)])
def test_what_only_one_member_knows_stops_all_after_the_next_meeting(run_together, make, last):
    _, steps = run_together(make, before_turn=end_after_step_3)
    assert steps == [last, last]


@pytest.mark.parametrize(("make", "last"), [(AllReduce, 4), (local_sgd(period=5), 5)])
def test_who_is_to_leave_goes_after_the_next_meeting_and_the_others_meet_without_it(
    run_together, make, last
):
    workers, steps = run_together(
        make, before_turn=leave_after_step_3, budget=Budget(steps_per_worker=10)
    )
    assert steps == [10, last]
    assert [worker.boundary.has_left for worker in workers] == [False, True]
    assert [way.num_formed for way in ways_of(workers)] == [1, 0]
    assert [worker.progress.stop for worker in workers] == [None, None]


# Losing a member


class Fragile:
    """A collective of one whose means number `losses` are lost; `state` is copied if it is set."""

    size = 1

    def __init__(self, *losses, copies=None):
        self._losses, self._copies = losses, copies
        self.num_begun = self.num_formed = 0
        self.vectors = []

    def form(self, state, is_over):
        self.num_formed += 1
        yield 0.0
        if self._copies is not None:
            state.restore(*self._copies)
        return not is_over()

    def leave(self):
        pass

    def begin(self, vector, *, samples, wishes):
        del wishes
        self.num_begun += 1
        self._samples = samples
        self.vectors.append(vector)

    def is_ready(self):
        return True

    def finish(self):
        if self.num_begun in self._losses:
            self.vectors[-1].fill_(float("nan"))  # a half of it had come
            raise CollectiveError("worker-1-0 left")
        return Agreement(self._samples, stop=False)

    def received_bytes(self, num_bytes):
        return num_bytes


def alone_with(collective, make=AllReduce):
    worker = build_worker(make, collective=collective)
    worker.at_wait = lambda _seconds: None
    return worker


def gradient_of(worker, value):
    worker.boundary.begin_step()
    worker.model.gradient.fill_(value)
    return drive(worker.boundary.gradient_ready(samples=8), worker.wait)


def test_a_gradient_that_was_lost_with_its_mean_is_to_be_computed_anew_in_new_memory():
    collective = Fragile(1)
    worker = alone_with(collective)
    assert gradient_of(worker, 1.0) is Turn.REPEAT
    assert gradient_of(worker, 1.0) is Turn.STEP
    assert collective.num_formed == 1
    assert collective.vectors[0].data_ptr() != collective.vectors[1].data_ptr()
    module_gradient = next(worker.model.module.parameters()).grad
    assert torch.equal(module_gradient, torch.ones_like(module_gradient))
    worker.optimizer.step()
    assert worker.x.isfinite().all()


def test_a_step_that_is_repeated_counts_once():
    worker = alone_with(Fragile(2))
    assert worker.step(1.0)
    assert gradient_of(worker, 1.0) is Turn.REPEAT
    assert worker.step(1.0)
    assert (worker.boundary.job_samples, worker.boundary.own_samples) == (16, 16)
    assert worker.journal.entries.count(("lost", "group", 1, "worker-1-0 left")) == 1


def state_of(worker):
    return worker.boundary._state.pack(), worker.boundary._state.counts()


def test_who_is_a_step_behind_goes_on_from_the_others_state_and_counts_its_part_of_that_step():
    ahead = alone_with(Fragile())
    for _ in range(3):
        ahead.step(1.0)
    behind = alone_with(Fragile(3, copies=state_of(ahead)))
    behind.step(1.0)
    behind.step(1.0)
    assert gradient_of(behind, 1.0) is Turn.REPEAT
    assert behind.boundary.counters.steps == 3
    assert torch.equal(behind.x, ahead.x)
    assert (behind.boundary.job_samples, behind.boundary.own_samples) == (24, 24)
    assert behind.boundary._state.digest() == ahead.boundary._state.digest()


def test_an_outer_step_whose_mean_was_lost_is_taken_from_where_the_worker_is():
    whole, torn = (alone_with(Fragile(*losses), local_sgd(period=2)) for losses in ((), (1, 2)))
    for worker in (whole, torn):
        for _ in range(4):
            worker.step(1.0)
    assert torch.equal(whole.x, torn.x)
    assert torn.boundary.counters.steps == 4


def test_a_worker_that_is_to_leave_does_not_wait_for_a_new_group():
    worker = alone_with(Fragile(1))
    worker.boundary.leave()
    assert gradient_of(worker, 1.0) is Turn.END


@pytest.mark.parametrize(
    "limit", [{"active_deadline": timedelta(seconds=3)}, {"budget": Budget(seconds=3.0)}]
)
def test_clocks_that_differ_stop_all_at_the_same_step(run_together, limit):
    _, steps = run_together(**limit, pace=(1.0, 0.6))
    assert steps[0] == steps[1]
    assert 3 <= steps[0] <= 5
