"""Suspending a job and resuming it."""

import pytest
from manifest_jobs import UID, environment_of
from planned_world import BUDGET, SCORE, World, evaluator, running, worker

from gossip_operator.core.plan import FORMER_SECONDS


def suspended(**fields):
    world = running(**fields)
    world.set_suspend(True)
    return world


def test_a_job_that_is_suspended_from_the_start_has_nothing():
    world = World(suspend=True)
    made = world.reconcile()
    assert (made.create, made.apply, made.issue_credentials) == ((), (), False)
    assert world.status.state == "Suspended"
    assert world.condition("Suspended").status == "True"
    assert made.look_again is None


def test_a_suspended_job_loses_all_its_pods_the_dead_ones_too():
    world = running()
    world.end("mnist-worker-0-0", 1)
    world.settle()
    world.set_suspend(True)
    assert len(world.reconcile().delete) == 5
    assert world.reconcile().delete == ()


def test_it_is_suspended_when_the_last_pod_is_gone():
    world = suspended()
    world.settle()
    assert world.condition("Suspended").reason == "Suspending"
    assert world.condition("WorkersReady").reason == "Suspended"
    world.pods.clear()
    world.settle()
    assert world.condition("Suspended").status == "True"


CLAIM = {"storage": {"claimName": "models"}}


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        (CLAIM, "training goes on from its checkpoints when the job is resumed"),
        (None, "training begins anew, without checkpoints, when the job is resumed"),
        (CLAIM | {"writers": "Evaluator"}, "training begins anew"),
    ],
    ids=["saved", "not saved", "only the model"],
)
def test_it_says_whether_a_resumed_job_goes_on(checkpoint, said):
    world = suspended(checkpoint=checkpoint)
    world.pods.clear()
    world.settle()
    assert said in world.condition("Suspended").message


def test_a_resumed_job_looks_where_it_saved_and_is_told_that_nobody_trains():
    world = running(checkpoint=CLAIM)
    world.set_suspend(True)
    world.settle()
    world.pods.clear()
    world.settle()
    world.set_suspend(False)
    made = world.reconcile()
    first = next(one for one in made.create if one.member == worker(0, 1))
    told = environment_of(first.manifest)
    assert told["GOSSIP_CHECKPOINTS"] == f"/var/gossip-checkpoints/team.mnist.{UID}"
    assert told["GOSSIP_FRESH"] == "1"


def test_pods_on_lost_nodes_are_not_waited_for():
    world = suspended()
    for name in world.pods:
        world.change(name, node="far")
    world.lost_nodes["far"] = world.now
    world.settle()
    assert world.condition("Suspended").status == "True"


def test_suspending_is_no_failure():
    world = suspended()
    world.settle()
    assert world.status.failures == ()
    assert world.status.workers.failed == 0


def test_names_are_remembered_and_all_else_is_forgiven():
    world = running(policy={"backoffLimitPerWorker": 2})
    for incarnation in range(2):
        world.end(f"mnist-worker-0-{incarnation}", 1)
        world.settle()
        world.pass_time(30)
        world.settle()
        world.start_all()
    world.set_suspend(True)
    world.settle()
    world.pods.clear()
    world.settle()
    (entry,) = world.status.ledger
    assert (entry.incarnation, entry.failures, entry.failed_at) == (2, None, None)
    world.set_suspend(False)
    created = [creation.member for creation in world.reconcile().create]
    assert created == [evaluator(1), worker(0, 3), worker(1, 1), worker(2, 1)]


@pytest.mark.parametrize("linger", [True, False])
def test_a_resumed_job_begins_anew_whether_or_not_old_pods_linger(linger):
    world = suspended()
    world.train(step=70, stop=BUDGET, phase="Finished")
    world.settle()
    if not linger:
        world.pods.clear()
        world.settle()
    world.pass_time(3)
    world.set_suspend(False)
    made = world.reconcile()
    if linger:  # they still do what the job said before it was suspended
        assert (made.create, made.apply) == ((), ())
        world.pass_time(FORMER_SECONDS)
        made = world.reconcile()
    assert len(made.create) == 4
    world.settle()
    status = world.status
    assert (status.stop, status.began_time, status.progress) == (None, None, None)
    assert status.state in {"Pending", "Starting"}
    assert status.failures == ()


def test_errors_of_the_life_before_are_not_held_against_the_resumed_job():
    world = suspended()
    world.settle()
    world.end("mnist-worker-0-0", 64, phase="Running")
    world.pass_time(3)
    world.set_suspend(False)
    world.settle()
    assert not world.status.finished


def test_resuming_replaces_nobody():
    world = suspended()
    world.settle()
    world.pass_time(3)
    world.set_suspend(False)
    world.notices.clear()
    world.settle()
    assert "WorkerReplaced" not in {notice.reason for notice in world.notices}


def test_a_result_that_is_there_when_the_job_is_suspended_is_kept():
    world = running()
    world.finish("mnist-evaluator-0-0", SCORE)
    world.set_suspend(True)
    world.settle()
    assert world.status.state == "Succeeded"
    assert world.status.result is not None


def test_a_resumed_job_is_not_stalled_because_it_rested():
    world = suspended()
    world.settle()
    world.pods.clear()
    world.pass_time(3600)
    world.settle()
    world.set_suspend(False)
    world.settle()
    world.start_all()
    world.pass_time(5)
    world.train(step=1)
    world.settle()
    assert world.condition("Progressing").reason == "Training"
