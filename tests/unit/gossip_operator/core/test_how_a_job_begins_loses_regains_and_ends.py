"""The protocol of a job's life, sentence by sentence, as far as it is the operator's part."""

import pytest
from manifest_jobs import environment_of
from planned_world import BUDGET, SCORE, World, evaluator, running, server, worker

from gossip_api.names import Role, parse_pod_name
from gossip_operator.core.staffing import SIDECAR_SECONDS


def created(plan):
    return [creation.member for creation in plan.create]


def fresh_of(plan):
    return {environment_of(creation.manifest)["GOSSIP_FRESH"] for creation in plan.create}


def test_all_places_are_filled_at_once_and_are_fresh():
    plan = World(replicas=3, strategy="ElasticAveraging").reconcile()
    assert created(plan) == [evaluator(), server(), worker(0), worker(1), worker(2)]
    assert fresh_of(plan) == {"1"}


def test_a_replacement_from_before_training_is_still_fresh():
    world = World()
    world.settle()
    world.start_all()
    world.pass_time(5)
    world.delete("mnist-worker-1-0")
    plan = world.reconcile()
    assert created(plan) == [worker(1, 1)]
    assert fresh_of(plan) == {"1"}


def test_a_replacement_never_starts_from_scratch_once_somebody_has_trained():
    world = running()
    world.delete("mnist-worker-1-0")
    plan = world.reconcile()
    assert created(plan) == [worker(1, 1)]
    assert fresh_of(plan) == {"0"}


def test_that_somebody_has_trained_is_remembered_when_everybody_is_gone():
    world = running()
    world.forget()
    world.pods.clear()
    plan = world.reconcile()
    assert created(plan) == [evaluator(1), worker(0, 1), worker(1, 1), worker(2, 1)]
    assert fresh_of(plan) == {"0"}


def test_below_min_replicas_at_the_start_the_job_waits_until_the_start_deadline():
    world = World(replicas=3, min_replicas=2, policy={"startDeadline": "5m"})
    world.settle()
    world.start("mnist-worker-0-0")
    world.pass_time(299)
    world.settle()
    assert world.status.state == "Starting"
    world.pass_time(1)
    world.settle()
    assert world.status.state == "Failed"
    assert world.condition("Failed").reason == "StartDeadlineExceeded"


def test_in_mid_run_the_job_is_degraded_and_goes_on_however_few_are_left():
    world = running(replicas=3, min_replicas=2, policy={"startDeadline": "5m"})
    world.delete("mnist-worker-0-0")
    world.settle()
    assert world.status.state == "Degraded"
    assert world.condition("Degraded").reason == "BelowDesired"
    world.delete("mnist-worker-1-0")
    world.settle()
    assert world.condition("Degraded").reason == "BelowMinimum"
    world.pass_time(3600)
    world.settle()
    assert not world.status.finished


def test_a_deleted_worker_is_replaced_without_waiting_for_the_old_pod():
    world = running()
    world.delete("mnist-worker-1-0")
    world.reconcile()
    assert world.find(worker(1, 0)).deleted is not None
    assert world.find(worker(1, 1)).phase == "Pending"


def test_a_pod_that_is_not_ready_is_not_replaced_for_that():
    world = running()
    world.change("mnist-worker-1-0", ready=False)
    world.pass_time(3600)
    assert created(world.reconcile()) == []


def test_deletion_failure_and_an_unreachable_node_replace_a_pod():
    world = running(replicas=3)
    world.delete("mnist-worker-0-0")
    world.end("mnist-worker-1-0", 1)
    world.change("mnist-worker-2-0", node="far")
    world.lost_nodes["far"] = world.now
    assert created(world.reconcile()) == [worker(0, 1), worker(1, 1), worker(2, 1)]


def test_where_nodes_may_not_be_read_a_lost_one_shows_by_the_deletion_of_its_pods():
    world = running()
    world.change("mnist-worker-2-0", disruption="DeletionByTaintManager", deleted=world.now)
    assert created(world.reconcile()) == [worker(2, 1)]


def test_a_pod_whose_node_comes_back_is_deleted_for_its_successor_has_the_place():
    world = running()
    world.change("mnist-worker-2-0", node="far")
    world.lost_nodes["far"] = world.now
    assert created(world.reconcile()) == [worker(2, 1)]
    world.lost_nodes.clear()
    made = world.reconcile()
    assert [deletion.name for deletion in made.delete] == ["mnist-worker-2-0"]
    assert made.create == ()


def test_containers_restart_in_place_and_nobody_takes_their_place():
    world = running()
    world.restart("mnist-worker-1-0")
    world.restart("mnist-worker-1-0")
    assert created(world.reconcile()) == []
    assert world.status.restarts == 2


def test_three_restarts_in_place_and_a_long_pause_replace_the_pod():
    world = running()
    world.crash_loop("mnist-worker-1-0", restarts=2)
    assert created(world.reconcile()) == []
    world.crash_loop("mnist-worker-1-0", restarts=3)
    assert created(world.reconcile()) == [worker(1, 1)]
    made = world.reconcile()
    assert [deletion.name for deletion in made.delete] == ["mnist-worker-1-0"]


def test_exit_code_64_fails_the_job_at_once():
    world = running()
    world.end("mnist-worker-1-0", 64)
    world.settle()
    assert world.status.state == "Failed"
    assert world.condition("Failed").reason == "UserError"


def test_the_outcome_is_that_of_the_trainer_and_sidecars_left_over_are_ended_with_the_pod():
    world = running()
    world.finish("mnist-worker-1-0", phase="Running")
    made = world.reconcile()
    assert made.delete == ()  # the outcome is recorded first
    assert world.reconcile().delete == ()  # and sidecars may end by themselves
    world.pass_time(SIDECAR_SECONDS)
    made = world.reconcile()
    assert [deletion.name for deletion in made.delete] == ["mnist-worker-1-0"]
    assert created(made) == []


def test_a_worker_that_is_done_keeps_its_place_while_it_serves():
    world = running()
    world.train(phase="Finished", stop=BUDGET)
    made = world.reconcile()
    assert (made.create, made.delete) == ((), ())
    assert world.status.stop == BUDGET
    assert world.condition("Progressing").reason == "Finishing"


def test_after_the_budget_no_worker_is_replaced_only_a_lost_evaluator():
    world = running()
    world.train(phase="Finished", stop=BUDGET)
    world.settle()
    world.delete("mnist-worker-1-0")
    world.end("mnist-worker-2-0", 1)
    world.delete("mnist-evaluator-0-0")
    assert created(world.reconcile()) == [evaluator(1)]


def test_a_lost_server_is_replaced_after_the_budget_as_long_as_a_worker_is_there():
    world = running(replicas=1, min_replicas=1, strategy="ElasticAveraging")
    world.train(phase="Finished", stop=BUDGET)
    world.settle()
    world.delete("mnist-server-0-0")
    assert created(world.reconcile()) == [server(1)]
    world.finish("mnist-worker-0-0")
    world.delete("mnist-server-0-1")
    assert created(world.reconcile()) == []


def test_the_stop_record_is_remembered_when_nobody_is_left_to_tell_it():
    world = running()
    world.train(phase="Finished", stop=BUDGET)
    world.settle()
    world.forget()
    world.pods.clear()
    assert created(world.reconcile()) == [evaluator(1)]


def test_workers_then_servers_end_and_last_the_evaluator_whose_words_are_the_result():
    world = running(strategy="ElasticAveraging")
    world.train(phase="Finished", stop=BUDGET)
    for index in range(3):
        world.finish(f"mnist-worker-{index}-0")
        world.settle()
    world.finish("mnist-server-0-0")
    world.settle()
    assert world.status.state == "Running"
    world.finish("mnist-evaluator-0-0", SCORE)
    world.settle()
    assert world.status.state == "Succeeded"
    assert (world.status.result.loss, world.status.result.accuracy) == ("0.25", "0.9")


def test_complete_means_that_the_result_is_recorded():
    world = running()
    for index in range(3):
        world.finish(f"mnist-worker-{index}-0")
    world.settle()
    assert world.condition("Complete").status == "False"
    world.finish("mnist-evaluator-0-0", SCORE)
    made = world.reconcile()
    assert made.delete == ()
    assert made.status.result is not None
    assert world.condition("Complete").status == "True"


def test_an_evaluator_that_ends_without_a_result_has_failed():
    world = running()
    world.train(phase="Finished", stop=BUDGET)
    world.finish("mnist-evaluator-0-0")
    assert created(world.reconcile()) == [evaluator(1)]
    assert world.status.failures[0].reason == "NoResult"


def test_the_result_of_an_evaluator_that_was_replaced_too_early_is_one():
    world = running()
    world.change("mnist-evaluator-0-0", node="far")
    world.lost_nodes["far"] = world.now
    assert created(world.reconcile()) == [evaluator(1)]
    world.lost_nodes.clear()
    world.finish("mnist-evaluator-0-0", SCORE, phase="Running")
    world.settle()
    assert world.status.state == "Succeeded"


def test_workers_that_no_evaluator_released_leave_a_job_without_a_result():
    world = running()
    world.train(phase="Finished", stop=BUDGET)
    world.settle()
    for index in range(3):
        world.finish(f"mnist-worker-{index}-0")
    world.settle()
    assert world.condition("Progressing").status == "False"
    world.pass_time(179)
    world.settle()
    assert not world.status.finished
    world.pass_time(2)
    world.settle()
    assert world.condition("Failed").reason == "NoResult"


def test_no_result_comes_of_a_job_whose_workers_are_gone_without_a_trace():
    world = running()
    world.train(phase="Finished", stop=BUDGET)
    world.settle()
    for index in range(3):
        del world.pods[f"mnist-worker-{index}-0"]
    world.settle()
    world.pass_time(181)
    world.settle()
    assert world.condition("Failed").reason == "NoResult"


def test_a_late_replacement_that_hears_that_the_job_is_over_has_finished():
    world = running()
    world.delete("mnist-worker-1-0")
    world.settle()
    world.start_all()
    world.train(phase="Finished", stop=BUDGET)
    world.finish("mnist-worker-1-1")
    assert created(world.reconcile()) == []
    assert world.status.workers.succeeded == 1


def test_a_worker_that_was_told_to_leave_has_not_finished():
    world = running()
    world.leave("mnist-worker-1-0")
    assert created(world.reconcile()) == [worker(1, 1)]


def test_with_fewer_possible_ranks_than_min_replicas_the_job_fails():
    world = running(replicas=3, min_replicas=2, policy={"backoffLimitPerWorker": 0})
    world.end("mnist-worker-0-0", 1)
    world.settle()
    assert world.status.state == "Degraded"
    world.end("mnist-worker-1-0", 1)
    world.settle()
    assert world.condition("Failed").reason == "TooFewWorkers"


def test_a_deadline_that_workers_keep_makes_a_job_fail_that_has_its_result():
    world = running(policy={"activeDeadline": "1h"})
    late = BUDGET.model_copy(update={"reason": "deadline"})
    world.train(phase="Finished", stop=late)
    world.settle()
    world.finish("mnist-evaluator-0-0", SCORE)
    world.settle()
    assert world.condition("Failed").reason == "ActiveDeadlineExceeded"
    assert world.status.result is not None


def test_a_deadline_that_workers_do_not_keep_ends_the_job_a_little_later():
    world = running(policy={"activeDeadline": "1h"})
    world.now = world.status.began_time.timestamp() + 3600 + 119
    world.settle()
    assert not world.status.finished
    world.pass_time(1)
    world.settle()
    assert world.condition("Failed").reason == "ActiveDeadlineExceeded"


@pytest.mark.parametrize("role", list(Role))
def test_of_whatever_role_a_place_is_taken_by_the_next_incarnation(role):
    world = running(strategy="ElasticAveraging")
    for incarnation in range(3):
        world.delete(f"mnist-{role}-0-{incarnation}")
        world.settle()
        world.start_all()
        world.pass_time(5)
    newest = max(parse_pod_name("mnist", name).incarnation for name in world.pods if role in name)
    assert newest == 3
