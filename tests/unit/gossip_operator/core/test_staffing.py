"""Who comes and who goes."""

import pytest
from planned_world import World, evaluator, running, worker

from gossip_operator.core.plan import plan
from gossip_operator.core.staffing import BUSY_SECONDS, MAX_CREATED


def created(made):
    return [creation.member for creation in made.create]


def deleted(made):
    return [deletion.name.removeprefix("mnist-") for deletion in made.delete]


def test_a_job_that_is_complete_needs_nothing():
    made = running().reconcile()
    assert made.is_empty


def test_scaling_up_adds_the_next_ranks_and_restarts_nobody():
    world = running(replicas=3)
    world.scale(5)
    made = world.reconcile()
    assert created(made) == [worker(3), worker(4)]
    assert made.delete == ()


def test_scaling_down_takes_the_highest_ranks_if_all_are_as_useful():
    world = running(replicas=5)
    world.scale(3)
    assert deleted(world.reconcile()) == ["worker-4-0", "worker-3-0"]
    assert deleted(world.reconcile()) == []


def test_the_least_useful_leave_first():
    world = running(replicas=6)
    world.change("mnist-worker-0-0", ready=False, node="")
    world.change("mnist-worker-1-0", ready=False)
    world.report("mnist-worker-2-0", step=3, phase="Training")
    world.scale(3)
    assert deleted(world.reconcile()) == ["worker-0-0", "worker-1-0", "worker-2-0"]


def test_who_was_not_asked_is_not_taken_for_one_that_is_behind_or_ahead():
    world = running(replicas=5)
    world.reports.clear()
    for index, step in enumerate([50, 60, 40]):
        world.report(f"mnist-worker-{index}-0", step=step, phase="Training")
    world.scale(2)
    assert deleted(world.reconcile()) == ["worker-2-0", "worker-4-0", "worker-3-0"]


def test_a_rank_that_is_vacant_anyway_is_the_first_to_be_done_without():
    world = running(replicas=4)
    world.refuses = True
    world.delete("mnist-worker-1-0")
    world.reconcile()
    world.scale(3)
    made = world.reconcile()
    assert made.delete == ()
    assert world.status.workers.failed == 0
    assert world.status.workers.display == "3/3"


def test_scaled_up_again_the_free_ranks_get_new_incarnations():
    world = running(replicas=4)
    world.scale(2)
    world.settle()
    world.scale(5)
    assert created(world.reconcile()) == [worker(2, 1), worker(3, 1), worker(4)]


def test_a_rank_that_was_given_up_is_not_replaced_by_another():
    world = running(replicas=4, policy={"backoffLimitPerWorker": 0})
    world.end("mnist-worker-1-0", 1)
    made = world.reconcile()
    assert made.create == ()
    assert (world.status.workers.failed, world.status.workers.display) == (1, "3/4")
    world.scale(5)
    assert created(world.reconcile()) == [worker(4)]


def test_scaling_down_to_those_who_are_left_takes_nobody_away():
    world = running(replicas=4, min_replicas=3, policy={"backoffLimitPerWorker": 0})
    world.end("mnist-worker-1-0", 1)
    world.settle()
    world.scale(3)
    made = world.reconcile()
    assert made.delete == ()
    assert not world.status.finished
    assert world.status.workers.display == "3/3"


def test_nobody_leaves_for_the_scale_once_training_is_over():
    world = running(replicas=4)
    world.train(phase="Finished", stop={"reason": "budget", "by": "worker-0-0"})
    world.settle()
    world.scale(2)
    assert world.reconcile().delete == ()


def test_of_the_dead_of_a_place_the_newest_stays_for_its_logs():
    world = running()
    for incarnation in range(3):
        world.end(f"mnist-worker-0-{incarnation}", 1)
        world.pass_time(60)
        world.settle()
        world.start_all()
    names = sorted(name for name in world.pods if name.startswith("mnist-worker-0"))
    assert names == ["mnist-worker-0-2", "mnist-worker-0-3"]


def test_a_pod_whose_node_comes_back_before_somebody_has_its_place_goes_on():
    world = running()
    world.change("mnist-worker-1-0", node="far")
    world.lost_nodes["far"] = world.now
    world.refuses = True
    world.settle()
    assert world.status.workers.display == "2/3"
    world.lost_nodes.clear()
    world.pass_time(60)
    made = world.reconcile()
    assert (made.create, made.delete) == ((), ())
    assert world.status.workers.display == "3/3"


def test_a_pod_whose_image_cannot_be_pulled_is_never_replaced():
    world = World()
    world.settle()
    world.wait_for_image("mnist-worker-0-0")
    world.settle()
    world.pass_time(1000)
    assert world.reconcile().create == ()


def test_hundreds_of_pods_are_not_made_in_one_go():
    world = World(replicas=MAX_CREATED + 49)
    made = world.reconcile()
    assert len(made.create) == MAX_CREATED
    assert created(made)[0] == evaluator()
    assert made.look_again == pytest.approx(BUSY_SECONDS)
    assert len(world.reconcile().create) == 50
    assert world.reconcile().create == ()


def test_a_repeated_failure_is_waited_for_exactly_as_long_as_it_takes():
    world = running()
    for incarnation in range(2):
        world.end(f"mnist-worker-0-{incarnation}", 1)
        made = world.reconcile()
        world.start_all()
        world.pass_time(5)
    assert made.create == ()
    made = plan(world.observe())
    ended = world.find(worker(0, 1)).trainer.ended.at
    assert made.look_again == pytest.approx(ended + 10 - world.now)
