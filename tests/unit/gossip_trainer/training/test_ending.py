"""When a worker has done enough, with and without meetings."""

from datetime import timedelta

import pytest
from lone_worker import MUCH, Clock
from lone_worker import build_worker as build

from gossip_api.training import Budget
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.progress.budget import BudgetMeter
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.training.collective import Agreement
from gossip_trainer.training.ending import Ending, Limits

# Workers that never meet


def build_worker(**limits):
    return build(Algorithm, **limits)  # which never exchanges anything


def steps_until_the_end(worker, limit=50):
    return next(step for step in range(1, limit) if not worker.step())


@pytest.mark.parametrize(
    ("budget", "steps"), [(Budget(samples=20), 3), (Budget(samples=24), 3), (Budget(epochs=0.4), 5)]
)
def test_the_worker_that_uses_the_budget_up_ends_the_job_for_all(budget, steps):
    worker = build_worker(budget=budget)
    assert steps_until_the_end(worker) == steps
    stop = worker.progress.stop
    assert (stop.reason, stop.by, stop.at) == (StopReason.BUDGET, "worker-0-0", 5000.0)


def test_samples_of_others_use_the_budget_up_too():
    worker, other = build_worker(budget=Budget(samples=100)), JobProgress(Clock())
    other.begin(1, 0, 5000.0)
    other.count(84)
    worker.progress.receive("worker-1-0", other.send())
    assert (worker.boundary.job_samples, worker.boundary.own_samples) == (84, 0)
    assert steps_until_the_end(worker) == 2
    assert worker.boundary.epoch == 1.0


def test_a_budget_of_seconds_counts_from_the_first_workers_beginning():
    worker = build_worker(budget=Budget(seconds=10.0))
    worker.wall.advance(9.9)
    assert worker.step()
    worker.wall.advance(0.1)
    assert not worker.step()
    assert worker.progress.stop.reason is StopReason.BUDGET


def test_a_budget_of_steps_ends_this_worker_and_nobody_else():
    worker = build_worker(budget=Budget(steps_per_worker=4))
    assert steps_until_the_end(worker) == 4
    assert worker.progress.stop is None


def test_a_budget_of_steps_counts_those_of_the_model_that_was_copied():
    worker = build_worker(budget=Budget(steps_per_worker=4), first_step=2)
    assert steps_until_the_end(worker) == 2


def test_the_active_deadline_ends_the_job():
    worker = build_worker(active_deadline=timedelta(minutes=1))
    worker.wall.advance(59.0)
    assert worker.step()
    worker.wall.advance(1.0)
    assert not worker.step()
    assert worker.progress.stop.reason is StopReason.DEADLINE


def test_a_stop_that_somebody_else_recorded_ends_this_worker():
    worker = build_worker()
    assert worker.step()
    worker.progress.end(StopReason.TARGET, "evaluator-0-0", at=5000.0)
    assert not worker.step()


def test_a_worker_that_is_to_leave_ends_after_its_step_and_the_job_goes_on():
    worker = build_worker()
    worker.boundary.leave()
    assert not worker.step()
    assert worker.progress.stop is None


# Workers that meet


@pytest.fixture
def progress():
    progress = JobProgress(Clock())
    progress.begin(0, 0, 5000.0)
    return progress


@pytest.fixture
def ending(progress):
    def ending(budget=MUCH, *, wall=5000.0, active_deadline=None):
        meter = BudgetMeter(budget, epoch_samples=100, steps_samples=32)
        return Ending(
            "worker-0-0",
            Limits(meter, active_deadline),
            progress,
            meeting_size=4,
            wall_clock=Clock(wall),
        )

    return ending


def test_all_count_what_was_agreed_and_what_each_has_done_since_times_their_number(ending):
    ending = ending()
    ending.samples_since_meeting += 8
    assert ending.job_samples == 32
    ending.agree(Agreement(samples=30, stop=False))  # somebody had a smaller batch
    assert (ending.job_samples, ending.samples_since_meeting) == (30, 0)
    ending.samples_since_meeting += 8
    assert ending.job_samples == 62
    assert ending.epoch == 0.62
    ending.agree(Agreement(samples=32, stop=False))
    assert ending.job_samples == 62


def test_what_is_heard_of_others_between_two_meetings_counts_for_nothing(ending, progress):
    other = JobProgress(Clock())
    other.begin(1, 0, 5000.0)
    other.count(10**6)
    progress.receive("worker-1-0", other.send())
    ending = ending(Budget(samples=10**5))
    assert not ending.is_due(1)
    assert ending.job_samples == 0


def test_the_budget_is_used_up_at_a_step_that_all_know_alike_even_between_meetings(ending):
    ending = ending(Budget(samples=60))
    ending.samples_since_meeting += 8
    assert not ending.is_due(1)
    ending.samples_since_meeting += 8
    assert ending.is_due(2)


def test_a_budget_of_steps_needs_no_agreement(ending, progress):
    ending = ending(Budget(steps_per_worker=3))
    assert [ending.is_due(steps) for steps in (1, 2, 3)] == [False, False, True]
    assert progress.stop is None


@pytest.mark.parametrize(
    "limits",
    [{"budget": Budget(seconds=10.0)}, {"active_deadline": timedelta(seconds=10)}],
)
def test_a_clock_alone_ends_nobody_but_is_a_reason_to_wish_for_the_end(ending, limits):
    ending = ending(**limits, wall=5010.0)
    assert not ending.is_due(1)
    assert ending.is_wished(1)
    assert not ending.is_due(1)
    ending.agree(Agreement(samples=32, stop=True))
    assert ending.is_due(1)


def test_a_stop_heard_between_meetings_is_wished_for_and_agreed_first(ending, progress):
    ending = ending()
    assert not ending.is_wished(1)
    progress.end(StopReason.TARGET, "evaluator-0-0", at=5001.0)
    assert ending.is_wished(1)
    assert not ending.is_due(1)


def test_where_all_meet_one_that_is_to_leave_goes_once_it_has_told_the_others(ending, progress):
    ending = ending()
    ending.leave()
    assert not ending.is_due(1)
    assert ending.wishes(1) == (False, True, False)
    assert ending.is_due(1)
    assert progress.stop is None


def test_who_goes_on_from_anothers_state_counts_on_from_there(ending):
    ending = ending()
    ending.agree(Agreement(samples=32, stop=False))
    ending.go_on_from(agreed_samples=640, since=16)
    assert (ending.agreed_samples, ending.samples_since_meeting) == (640, 16)


def test_an_agreement_to_stop_holds_until_the_next_meeting_only(ending):
    ending = ending()
    ending.agree(Agreement(samples=32, stop=True))
    ending.agree(Agreement(samples=32, stop=False))
    assert not ending.is_due(2)


def test_a_worker_that_meets_nobody_saves_when_it_is_time_to(progress):
    ending = Ending(
        "worker-0-0", Limits(BudgetMeter(MUCH, epoch_samples=1, steps_samples=1)), progress
    )
    assert not ending.is_to_save
    ending.wants_to_save = True
    assert ending.is_to_save
    ending.has_saved()
    assert not ending.is_to_save


def test_where_all_meet_they_save_after_the_same_step(ending):
    ending = ending()
    ending.wants_to_save = True
    assert ending.wishes(1).save
    assert not ending.is_to_save
    ending.agree(Agreement(samples=16, stop=False, save=True))
    assert ending.is_to_save
    ending.has_saved()
    assert not ending.is_to_save


def test_a_process_of_a_resumed_job_counts_on_from_all_that_was_trained(ending, progress):
    before = ending(wall=5040.0)
    times = before.times()
    assert times == {"seconds": 40.0, "earlier": 0.0, "at": 5040.0}
    later = JobProgress(Clock())
    later.begin(0, 1, 6000.0)
    resumed = Ending("worker-0-1", Limits(before._limits.meter), later, wall_clock=Clock(6010.0))
    resumed.count_on(times)
    assert resumed.seconds == 50.0


def test_a_replacement_in_a_running_job_counts_no_second_twice(ending, progress):
    replacement = ending(wall=5060.0)  # the others still train, since 5000
    replacement.count_on({"seconds": 130.0, "earlier": 90.0, "at": 5040.0})
    assert replacement.seconds == 150.0
