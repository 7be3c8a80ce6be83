"""What keeps pods from running, and how those ended that ran, in Kubernetes' own words."""

from dataclasses import replace

import pytest
from planned_world import World, running, worker

from gossip_api.process import LastWords
from gossip_api.reasons import Reason
from gossip_operator.core.observed import ContainerView, Refusal

NAME = "mnist-worker-1-0"


def failures_of(world):
    return [(f.index, f.incarnation, f.reason, f.exit_code) for f in world.status.failures]


def starting(**fields):
    world = World(**fields)
    world.settle()
    return world


def waiting(world, reason, message):
    world.change(NAME, node="node-0", trainer=ContainerView("waiting", reason, message))
    world.settle()


@pytest.mark.parametrize(
    ("kubelet", "reason"),
    [
        ("ErrImagePull", "ImageError"),
        ("InvalidImageName", "ImageError"),
        ("CreateContainerConfigError", "ContainerError"),
        ("RunContainerError", "ContainerError"),
    ],
)
def test_a_container_that_cannot_run_shows_in_conditions_and_failures(kubelet, reason):
    world = starting()
    waiting(world, kubelet, "secret not found")
    ready = world.condition("WorkersReady")
    assert (ready.status, ready.reason) == ("False", reason)
    assert f"worker-1: {kubelet}: secret not found" in ready.message
    assert failures_of(world) == [(1, 0, reason, None)]
    assert kubelet in world.status.failures[0].message


def test_pulling_and_backing_off_are_one_failure():
    world = starting()
    waiting(world, "ErrImagePull", "no such image")
    world.pass_time(20)
    waiting(world, "ImagePullBackOff", "no such image")
    assert len(world.status.failures) == 1


def test_a_pod_without_a_node_shows_the_schedulers_words():
    world = starting()
    world.change(NAME, unscheduled="0/3 nodes are available: 3 Insufficient nvidia.com/gpu")
    world.settle()
    assert world.condition("WorkersReady").reason == "Unschedulable"
    assert "Insufficient nvidia.com/gpu" in world.condition("Progressing").message
    assert failures_of(world) == [(1, 0, "Unschedulable", None)]


def test_a_pod_that_a_queue_keeps_is_no_trouble():
    world = starting()
    world.change(NAME, gated=True, unscheduled="Scheduling is blocked")
    world.settle()
    assert world.condition("WorkersReady").reason == "WaitingForPods"
    assert world.status.failures == ()


def test_a_process_killed_in_place_shows_at_once():
    world = running()
    world.restart(NAME)
    world.settle()
    (failure,) = world.status.failures
    assert (failure.reason, failure.exit_code, failure.node) == ("OOMKilled", 137, "node-1")
    assert world.status.state == "Running"


def test_every_death_in_place_is_a_failure_of_its_own():
    world = running()
    for _ in range(2):
        world.restart(NAME)
        world.settle()
        world.pass_time(60)
    assert failures_of(world) == 2 * [(1, 0, "OOMKilled", 137)]


def test_a_process_own_words_are_the_message():
    world = running()
    world.end(NAME, 1, words=LastWords(reason="no peer to copy from"))
    world.settle()
    assert world.status.failures[0].message == "no peer to copy from"


def test_a_disruption_is_told_but_with_no_exit_code():
    world = running()
    world.evict(NAME)
    world.settle()
    assert failures_of(world) == [(1, 0, "Evicted", None)]
    assert world.status.failures[0].message == "The node was low on memory."


def test_a_lost_node_is_one_failure_though_its_pods_are_deleted_then():
    world = running()
    world.change(NAME, node="far")
    world.lost_nodes["far"] = world.now
    world.refuses = True  # so that nobody comes in its place yet
    world.settle()
    assert world.condition("WorkersReady").reason == "QuotaExceeded"
    world.pass_time(5)
    world.change(NAME, disruption="DeletionByTaintManager")
    world.settle()
    assert failures_of(world) == [(1, 0, "NodeLost", None)]


def test_an_eviction_is_one_failure_from_its_announcement_to_the_end_of_the_pod():
    world = running()
    world.refuses = True  # so that nobody comes in its place yet
    world.change(NAME, disruption="EvictionByEvictionAPI")
    world.settle()
    world.pass_time(5)
    world.delete(NAME)
    world.settle()
    world.pass_time(5)
    world.leave(NAME)
    world.settle()
    assert failures_of(world) == [(1, 0, "EvictionByEvictionAPI", None)]


def test_the_pod_of_a_failure_is_not_told_to_be_deleted_as_well():
    world = running()
    for incarnation in range(2):
        world.crash_loop(f"mnist-worker-1-{incarnation}")
        world.settle()
        world.start_all()
        world.pass_time(5)
    world.leave("mnist-worker-1-1")
    world.settle()
    assert {reason for _, _, reason, _ in failures_of(world)} == {"Error"}


def test_scaling_down_is_no_failure():
    world = running(replicas=4)
    world.scale(2)
    world.settle()
    world.leave("mnist-worker-3-0")
    world.settle()
    assert world.status.failures == ()
    assert world.status.workers.failed == 0


def test_the_last_ten_are_kept_newest_first():
    world = running(replicas=12, min_replicas=1)
    for index in range(12):
        world.restart(f"mnist-worker-{index}-0")
        world.settle()
        world.pass_time(5)
    assert [failure.index for failure in world.status.failures] == list(range(11, 1, -1))


def test_a_refusal_is_told_until_it_is_granted_also_between_two_tries():
    world = starting()
    world.delete(NAME)
    world.pass_time(5)
    refusal = Refusal("Pods", Reason.QUOTA_EXCEEDED, "exceeded quota: pods", world.now + 30)
    world.refusals = (refusal,)
    made = world.reconcile()
    assert made.create == ()
    assert world.condition("WorkersReady").reason == "QuotaExceeded"
    assert made.look_again <= 30
    world.refusals = (replace(refusal, until=world.now - 1),)
    made = world.reconcile()
    assert [creation.member for creation in made.create] == [worker(1, 1)]
    assert world.condition("WorkersReady").reason == "QuotaExceeded"
    world.settle()
    assert world.condition("WorkersReady").reason == "WaitingForPods"


def test_of_several_troubles_the_one_that_a_user_can_mend_is_told():
    world = starting()
    world.change("mnist-worker-0-0", unscheduled="0/3 nodes are available")
    waiting(world, "ErrImagePull", "no such image")
    assert world.condition("WorkersReady").reason == "ImageError"


def test_who_waits_for_another_try_is_told_though_no_pod_is_left():
    world = running()
    for incarnation in range(2):
        world.end(f"mnist-worker-1-{incarnation}", 1)
        world.settle()
        world.start_all()
        world.pass_time(4)
    del world.pods["mnist-worker-1-1"]
    world.settle()
    assert "worker-1: failed 2 times in a row" in world.condition("Degraded").message
