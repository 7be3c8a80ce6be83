"""What becomes of a job that is over."""

from dataclasses import replace

import pytest
from planned_world import SCORE, running, server

from gossip_operator.core.aftermath import LEAVE_SECONDS
from gossip_operator.core.plan import plan


def finished(clean="Running", **policy):
    """A job that is complete; worker 2 still runs, all others have ended."""
    world = running(strategy="ElasticAveraging", policy={"cleanPods": clean, **policy})
    for name in ("worker-0", "worker-1", "server-0"):
        world.finish(f"mnist-{name}-0")
    world.finish("mnist-evaluator-0-0", SCORE)
    world.reconcile()
    assert world.reconcile().delete == ()  # the evaluator has let them go: they are about to end
    world.pass_time(LEAVE_SECONDS)
    return world


@pytest.mark.parametrize(("clean", "number"), [("Running", 1), ("All", 5), ("None", 0)])
def test_pods_go_as_the_job_says(clean, number):
    world = finished(clean)
    assert len(world.reconcile().delete) == number
    assert world.reconcile().delete == ()


def test_nobody_comes_back_to_a_job_that_is_over():
    world = finished()
    world.pods.clear()
    made = world.reconcile()
    assert (made.create, made.apply) == ((), ())


def test_a_finished_job_costs_nothing():
    world = finished()
    world.settle()
    world.pods = {name: pod for name, pod in world.pods.items() if pod.deleted is None}
    world.settle()
    made = world.reconcile()
    assert made.is_empty
    assert made.look_again is None


def test_pods_that_end_afterwards_are_told_of_once():
    world = finished("None")
    world.settle()
    before = world.writes
    world.finish("mnist-worker-2-0")
    world.settle()
    assert world.writes == before + 1
    assert (world.status.workers.active, world.status.workers.ready) == (0, 0)


def test_a_job_is_deleted_when_its_time_to_live_is_over():
    world = finished(ttlAfterFinished="1h")
    world.settle()
    ended = world.status.completion_time.timestamp()
    world.now = ended + 3599
    made = world.reconcile()
    assert not made.delete_job
    assert made.look_again == pytest.approx(1)
    world.now = ended + 3600
    assert world.reconcile().delete_job


def test_an_ended_jobs_conditions_speak_of_its_present_generation():
    world = finished()
    world.settle()
    before = world.status
    world.generation += 1
    made = world.reconcile()
    after = world.status
    assert made.notices == ()
    assert after.observed_generation == 2
    assert {condition.observed_generation for condition in after.conditions} == {2}
    assert [c.last_transition_time for c in after.conditions] == [
        c.last_transition_time for c in before.conditions
    ]


def test_what_is_over_stays_over_whatever_is_asked():
    world = finished()
    world.settle()
    world.set_suspend(True)
    world.scale(9)
    world.settle()
    assert world.status.state == "Succeeded"
    assert world.find(server())


def test_a_job_that_cannot_be_read_any_more_stays_as_it_ended():
    world = finished(ttlAfterFinished="1h")
    world.settle()
    seen = world.observe()
    seen = replace(seen, job=replace(seen.job, spec=None, problem="spec.new: not known"))
    world.now += 1e6
    assert plan(seen).is_empty


def test_a_job_that_is_being_deleted_is_left_to_the_garbage_collector():
    world = running()
    world.pods.clear()
    seen = world.observe()
    made = plan(replace(seen, job=replace(seen.job, terminating=True)))
    assert made.is_empty
    assert made.look_again is None
