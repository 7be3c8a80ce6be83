"""How far training has come, and when that is written."""

from dataclasses import replace

import pytest
from manifest_jobs import job
from planned_world import SCORE, World, running

from gossip_api.process import LastWords, Score
from gossip_api.status import Progress
from gossip_api.training import Budget
from gossip_operator.core.history import recall
from gossip_operator.core.progress import measure, recorded


def progress(world):
    return world.status.progress


def test_it_is_the_median_step_the_jobs_epoch_and_the_evaluators_score():
    world = running()
    world.pass_time(20)
    for index, step in enumerate([10, 50, 30]):
        world.report(
            f"mnist-worker-{index}-0",
            step=step,
            phase="Training",
            epoch=1.0 + index / 10,
            fraction=0.25,
            samples_per_second=100.0,
        )
    world.report("mnist-evaluator-0-0", phase="Serving", score=SCORE)
    world.settle()
    seen = progress(world)
    assert (seen.step, seen.epoch, seen.percent) == (30, "1.2", 25)
    assert (seen.loss, seen.accuracy, seen.consensus_distance) == ("0.25", "0.9", "0.01")
    assert seen.samples_per_second == "300"


def test_the_step_at_the_end_is_in_the_workers_last_words():
    world = running()
    world.train(step=3)
    for index in range(3):
        world.finish(f"mnist-worker-{index}-0")
    world.reports.clear()
    world.finish("mnist-evaluator-0-0", SCORE)
    world.settle()
    assert (progress(world).step, world.status.result.step) == (100, 100)


def test_a_step_that_nobody_told_of_is_left_out_of_the_result():
    assert recorded(SCORE, Progress(step=0), None).step is None


def test_the_result_says_where_the_model_lies_in_the_claim():
    world = running(checkpoint={"storage": {"claimName": "models"}})
    where = "team.mnist.1/final/model.safetensors"
    world.finish("mnist-evaluator-0-0", SCORE, model=f"/var/gossip-checkpoints/{where}")
    world.settle()
    assert world.status.result.model == f"pvc://models/{where}"
    del world.pods["mnist-evaluator-0-0"]
    world.settle()
    assert world.status.result.model == f"pvc://models/{where}"


def test_a_job_without_checkpoints_has_no_model_that_outlives_its_pods():
    world = running()
    world.finish("mnist-evaluator-0-0", SCORE)
    world.settle()
    assert world.status.result.model is None


def test_workers_that_were_told_to_go_at_the_end_tell_their_step():
    world = running()
    world.end("mnist-worker-1-0", 0, words=LastWords(step=70))
    world.finish("mnist-evaluator-0-0", SCORE)
    world.settle()
    assert world.status.result.step == 70


@pytest.mark.parametrize(
    ("job_samples", "eta"),
    [(3000, 300), (9000, 900)],
    ids=["from the beginning", "resumed after 6000 samples"],
)
def test_the_rest_takes_as_long_in_proportion_to_what_the_workers_trained(job_samples, eta):
    world = running()
    world.now = world.status.began_time.timestamp() + 100
    world.train(step=30, fraction=0.25, samples=1000, job_samples=job_samples)
    world.settle()
    assert progress(world).eta_seconds == eta


def test_a_worker_that_came_late_does_not_make_the_rest_longer():
    world = running()
    world.now = world.status.began_time.timestamp() + 100
    world.train(step=30, fraction=0.25, samples=1000, job_samples=3000)
    world.report("mnist-worker-2-0", step=30, phase="Training", samples=1)
    world.settle()
    assert progress(world).eta_seconds == 300


def test_the_rest_of_a_budget_of_seconds_passes_by_itself():
    world = running()
    world.now = world.status.began_time.timestamp() + 100
    world.train(step=30, fraction=0.25, samples=1000, job_samples=9000)
    seen = world.observe()
    training = seen.job.spec.spec.training.model_copy(update={"budget": Budget(seconds=400.0)})
    timed = job().model_copy(update={"spec": job().spec.model_copy(update={"training": training})})
    seen = replace(seen, job=replace(seen.job, spec=timed))
    assert measure(seen, recall(seen), ready=3).eta_seconds == 300


def test_how_long_the_rest_takes_is_not_known_before_anybody_trained():
    world = running()
    world.pass_time(100)
    world.train(step=30, fraction=0.25, job_samples=3000)  # what it resumes from
    world.settle()
    assert progress(world).eta_seconds is None


def test_the_rate_of_all_is_estimated_from_those_that_were_asked():
    world = running(replicas=8)
    world.reports.clear()
    world.pass_time(20)
    for index, rate in enumerate([100.0, 50.0]):
        name = f"mnist-worker-{index}-0"
        world.report(name, step=99, phase="Training", samples_per_second=rate)
    world.settle()
    assert progress(world).samples_per_second == "600"


def test_progress_alone_is_written_every_ten_seconds_at_most():
    world = running()
    world.pass_time(11)
    world.train(step=21)
    assert world.reconcile().status is not None
    world.pass_time(3)
    world.train(step=22)
    made = world.reconcile()
    assert made.status is None
    assert made.look_again == pytest.approx(7.5, abs=1)
    world.pass_time(made.look_again)
    assert world.reconcile().status is not None
    assert progress(world).step == 22


def test_what_is_more_than_progress_is_written_at_once():
    world = running()
    world.train(step=21)
    world.settle()
    world.train(step=22)
    world.restart("mnist-worker-0-0")
    assert world.reconcile().status is not None
    assert progress(world).step == 22


def test_looking_again_at_the_same_reports_writes_nothing():
    world = running()
    world.train(step=20, fraction=0.3, samples_per_second=9.0)
    world.pass_time(20)
    world.settle()
    for seconds in (0.4, 3, 30):
        world.pass_time(seconds)
        assert world.reconcile().is_empty


def test_a_new_estimate_without_progress_writes_nothing():
    world = running()
    world.pass_time(20)
    world.train(step=20, epoch=0.5, fraction=0.3, samples_per_second=9.0)
    world.settle()
    world.pass_time(20)
    world.train(step=20, epoch=0.5, fraction=0.3, samples_per_second=8.0)
    assert world.reconcile().is_empty


def test_others_who_have_come_less_far_do_not_set_the_job_back():
    world = running()
    world.pass_time(20)
    world.train(step=20, epoch=0.5, fraction=0.3)
    world.settle()
    world.pass_time(20)
    world.train(step=19, epoch=0.4, fraction=0.2)
    assert world.reconcile().is_empty
    assert (progress(world).step, progress(world).epoch, progress(world).percent) == (20, "0.5", 30)


def test_a_loss_that_is_not_finite_is_left_out():
    world = running()
    world.pass_time(20)
    world.report("mnist-evaluator-0-0", phase="Serving", score=Score(accuracy=0.1))
    world.settle()
    assert (progress(world).loss, progress(world).accuracy) == (None, "0.1")


def test_a_job_is_stalled_when_it_gets_no_further_for_five_minutes():
    world = running()
    world.pass_time(299)
    world.train(step=20)
    world.settle()
    assert world.condition("Progressing").reason == "Training"
    world.pass_time(2)
    world.train(step=20)
    world.settle()
    assert world.condition("Progressing").reason == "Stalled"


def test_a_job_that_waited_long_before_it_began_is_not_stalled_at_once():
    world = World()
    world.settle()
    world.start_all()
    world.report("mnist-evaluator-0-0", phase="Serving", score=SCORE)
    world.settle()
    world.pass_time(600)
    world.train(step=0)
    world.settle()
    assert world.condition("Progressing").reason == "Training"


def test_a_job_that_cannot_be_asked_is_not_taken_for_stalled():
    world = running()
    world.forget()
    world.pass_time(3600)
    world.settle()
    assert world.condition("Progressing").reason == "Training"


def test_a_stalled_job_stays_so_while_a_new_operator_has_not_asked_anybody():
    world = running()
    world.pass_time(400)
    world.train(step=20)
    world.settle()
    world.forget()
    assert world.reconcile().is_empty


def test_what_processes_of_deleted_pods_said_is_not_counted_when_they_are_gone():
    world = running()
    world.pass_time(20)
    world.report("mnist-worker-1-0", step=9000, phase="Training")
    del world.pods["mnist-worker-1-0"]
    world.settle()
    assert progress(world).step == 20
