"""How a job ends, and of several ends which."""

import pytest
from planned_world import BUDGET, DIVERGED, SCORE, World, evaluator, running

from gossip_api.process import LastWords

LIMIT = {"backoffLimitPerWorker": 1}


def fail(world, name, times):
    """Have the pods of a place fail one after the other."""
    for incarnation in range(times):
        world.end(f"mnist-{name}-{incarnation}", 1)
        world.settle()
        world.pass_time(30)
        world.settle()
        world.start_all()


@pytest.mark.parametrize(
    ("name", "reason"), [("server-0", "ServerLost"), ("evaluator-0", "EvaluatorLost")]
)
def test_a_job_fails_with_a_server_or_evaluator_that_fails_too_often(name, reason):
    world = running(strategy="ElasticAveraging", policy=LIMIT)
    fail(world, name, 1)
    assert not world.status.finished
    world.end(f"mnist-{name}-1", 1)
    world.settle()
    assert world.condition("Failed").reason == reason
    assert "exit code 1" in world.condition("Failed").message


def test_the_evaluators_own_end_is_counted_like_anybodys_after_the_budget():
    world = running(policy=LIMIT)
    world.train(phase="Finished", stop=BUDGET)
    world.settle()
    fail(world, "evaluator-0", 1)
    assert world.find(evaluator(1))
    world.end("mnist-evaluator-0-1", 1)
    world.settle()
    assert world.condition("Failed").reason == "EvaluatorLost"


def test_a_worker_that_is_given_up_does_not_fail_a_job_that_can_do_without_it():
    world = running(replicas=3, min_replicas=2, policy=LIMIT)
    fail(world, "worker-0", 2)
    assert world.status.state == "Degraded"
    assert "worker-0: Error: exit code 1" in world.condition("Degraded").message


def test_workers_given_up_after_the_budget_fail_nothing():
    world = running(replicas=3, min_replicas=3, policy={"backoffLimitPerWorker": 0})
    world.train(phase="Finished", stop=BUDGET)
    world.settle()
    world.end("mnist-worker-0-0", 1)
    world.settle()
    assert not world.status.finished


def test_a_result_wins_over_all_that_goes_wrong_beside_it():
    world = running()
    world.end("mnist-worker-0-0", 64)
    world.finish("mnist-evaluator-0-0", SCORE)
    world.settle()
    assert world.status.state == "Succeeded"


def test_a_job_that_diverged_has_failed_with_the_words_of_the_one_that_ended_it():
    world = running()
    said = "training diverged: the loss is not finite; lower the learning rate"
    world.end("mnist-worker-1-0", 64, words=LastWords(step=7, stop=DIVERGED, reason=said))
    world.settle()
    failed = world.condition("Failed")
    assert (failed.status, failed.reason) == ("True", "Diverged")
    assert failed.message == f"worker-1-0: {said}"


def test_a_job_that_diverged_has_failed_also_with_a_result():
    world = running()
    world.finish("mnist-evaluator-0-0", SCORE, stop=DIVERGED)
    world.settle()
    assert world.status.state == "Failed"
    assert world.condition("Failed").reason == "Diverged"
    assert world.status.result is not None


def test_the_result_is_told_in_the_conditions_message():
    world = running()
    world.train(phase="Finished", stop=BUDGET)
    world.finish("mnist-evaluator-0-0", SCORE)
    world.settle()
    message = "training ended (budget) with loss 0.25, accuracy 0.9"
    assert world.condition("Complete").message == message


def test_a_start_that_failed_says_what_it_waited_for():
    world = World(policy={"startDeadline": "5m"})
    world.settle()
    world.wait_for_image("mnist-worker-0-0")
    world.settle()
    world.pass_time(301)
    world.settle()
    message = world.condition("Failed").message
    assert "within 5m" in message
    assert "no such image a:1" in message


def test_the_start_deadline_does_not_run_while_the_job_is_suspended():
    world = World(policy={"startDeadline": "5m"}, suspend=True)
    world.settle()
    world.pass_time(3600)
    world.settle()
    assert not world.status.finished
    world.set_suspend(False)
    world.settle()
    world.pass_time(299)
    world.settle()
    assert not world.status.finished
    world.pass_time(2)
    world.settle()
    assert world.condition("Failed").reason == "StartDeadlineExceeded"


def test_the_start_deadline_does_not_run_while_a_queue_keeps_the_pods():
    world = World(policy={"startDeadline": "5m"})
    world.settle()
    for name in world.pods:
        world.change(name, gated=True)
    world.settle()
    world.pass_time(3600)
    world.settle()
    assert world.status.state == "Pending"
    assert world.condition("WorkersReady").reason == "WaitingForPods"
    assert "scheduling gates" in world.condition("Progressing").message
    for name in world.pods:
        world.change(name, gated=False)
    world.settle()
    world.pass_time(301)
    world.settle()
    assert world.condition("Failed").reason == "StartDeadlineExceeded"


def test_a_job_whose_processes_cannot_be_asked_begins_when_enough_workers_have_been_ready():
    world = World(replicas=3, min_replicas=2, policy={"startDeadline": "5m"})
    world.settle()
    world.start("mnist-worker-0-0")
    world.pass_time(61)
    world.settle()
    assert world.status.began_time is None
    world.start("mnist-worker-1-0")
    world.pass_time(61)
    world.settle()
    assert world.status.began_time is not None


def test_workers_that_say_they_wait_have_not_begun():
    world = World(replicas=2, min_replicas=1)
    world.settle()
    world.start_all()
    world.pass_time(120)
    world.train(step=0, phase="Waiting")
    world.settle()
    assert world.status.began_time is None


def test_all_workers_that_end_well_end_training_though_they_say_nothing():
    world = running()
    for index in range(3):
        world.end(f"mnist-worker-{index}-0", 0)
    world.settle()
    assert world.condition("Progressing").reason == "Finishing"
    world.pass_time(181)
    world.settle()
    assert world.condition("Failed").reason == "NoResult"
