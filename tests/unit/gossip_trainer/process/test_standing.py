import pytest

from gossip_api.names import Member, Role
from gossip_api.process import REASON_LIMIT
from gossip_api.training import Budget
from gossip_trainer.observability.events import (
    Began,
    Evaluation,
    Failed,
    Fenced,
    Finished,
    Progress,
)
from gossip_trainer.process.standing import Prospect, Standing
from gossip_trainer.progress.budget import BudgetMeter
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.progress.shared import JobProgress


def report(**changes):
    return Progress(
        **{
            "step": 120, "samples": 0, "job_samples": 0, "epoch": 0.0, "loss": 0.5,
            "learning_rate": 0.1, "samples_per_second": 900.0, "exchanges": 0, "lost": 0,
            "skipped": 0, "staleness": None, "received_bytes": 0, "sent_bytes": 0,
            "unpublished": 0, "peers": 3,
        }
        | changes
    )  # fmt: skip


def evaluation(**changes):
    return Evaluation(
        **{
            "seconds": 9.0, "job_samples": 500, "epoch": 0.5, "averaged": 2, "missed": (),
            "loss": 0.25, "accuracy": 0.9, "consensus_distance": 0.01,
            "relative_consensus_distance": 0.001, "min_step": 1, "max_step": 2, "workers": (),
            "final": False,
        }
        | changes
    )  # fmt: skip


@pytest.fixture
def progress():
    progress = JobProgress(lambda: 0.0)
    progress.begin(3, 1, 100.0)
    return progress


@pytest.fixture
def make(progress):
    def make(role=Role.WORKER, budget=None):
        standing = Standing(Member(role, 3, 1), wall_clock=lambda: 150.0)
        meter = BudgetMeter(budget or Budget(samples=1000), epoch_samples=1000, steps_samples=1)
        standing.look_at(Prospect(progress, meter, lambda: 5))
        return standing

    return make


def test_before_it_has_loaded_anything_it_is_starting_and_not_ready():
    status = Standing(Member(Role.WORKER, 3, 1)).status()
    assert (status.role, status.rank, status.incarnation) == (Role.WORKER, 3, 1)
    assert (status.phase, status.step, status.peers) == ("Starting", 0, 0)
    assert not Standing(Member(Role.WORKER, 3, 1)).is_ready


@pytest.mark.parametrize(
    ("phase", "is_ready"),
    [
        ("Starting", False), ("Waiting", True), ("Joining", True), ("Training", True),
        ("Serving", True), ("Finished", True), ("Leaving", False),
    ],
)  # fmt: skip
def test_it_is_ready_while_it_serves_peers(make, phase, is_ready):
    standing = make()
    standing.phase = phase
    assert standing.is_ready is is_ready


def test_what_the_event_log_is_told_is_its_status(make, progress):
    standing = make()
    progress.count(250)
    standing.note(report())
    status = standing.status()
    assert (status.step, status.loss, status.samples_per_second) == (120, 0.5, 900.0)
    assert (status.samples, status.job_samples, status.peers) == (250, 250, 5)
    assert (status.epoch, status.fraction) == (0.25, 0.25)


def test_a_budget_of_seconds_is_used_up_by_the_clock(make):
    assert make(budget=Budget(seconds=200)).status().fraction == 0.25


def test_the_seconds_of_earlier_processes_are_used_up_as_well(make, progress):
    progress.earlier_seconds = 50.0
    assert make(budget=Budget(seconds=200)).status().fraction == 0.5


def test_a_copied_model_has_its_step_before_the_first_report(make):
    standing = make()
    standing.note(Began(model_from="worker-0-0", step=77, job_samples=0))
    assert standing.status().step == 77


@pytest.mark.parametrize("loss", [None, float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_absent(make, loss):
    standing = make()
    standing.note(report(loss=loss))
    assert standing.status().loss is None
    assert "loss" not in standing.status().model_dump_json(exclude_none=True)


def test_the_evaluators_newest_test_is_its_score(make):
    standing = make(Role.EVALUATOR)
    standing.note(evaluation(accuracy=0.1))
    standing.note(evaluation())
    score = standing.status().score
    assert (score.loss, score.accuracy, score.consensus_distance) == (0.25, 0.9, 0.01)


def test_the_stop_record_is_told_with_its_author(make, progress):
    progress.end(StopReason.DEADLINE, "worker-0-0", 140.0)
    standing = make()
    for stop in (standing.status().stop, standing.last_words(finished=True).stop):
        assert (stop.reason, stop.by) == ("deadline", "worker-0-0")


def test_the_last_words_of_one_that_is_done_tell_how_far_it_came(make, progress):
    progress.count(64)
    standing = make()
    standing.note(Finished(step=9, samples=64, released=True))
    words = standing.last_words(finished=True)
    assert (words.step, words.samples, words.job_samples) == (9, 64, 64)
    assert (words.finished, words.released, words.reason) == (True, True, None)


def test_who_left_on_demand_has_not_finished(make):
    standing = make()
    standing.note(Finished(step=9, samples=64, released=False, left=True))
    assert not standing.last_words(finished=True).finished


def test_the_result_is_the_final_test_of_an_evaluator_that_concluded(make):
    standing = make(Role.EVALUATOR)
    standing.note(evaluation(accuracy=0.1))
    assert standing.last_words(finished=True).result is None
    standing.note(evaluation(final=True))
    assert standing.last_words(finished=True).result.accuracy == 0.9
    assert standing.last_words(finished=False).result is None


def test_why_it_failed_is_one_line_that_fits(make):
    standing = make()
    standing.note(Failed(reason="no peers\nin time " + "x" * 5000))
    reason = standing.last_words(finished=False).reason
    assert reason.startswith("no peers in time xxx")
    assert len(reason) == REASON_LIMIT


def test_a_fenced_process_names_who_has_its_place(make):
    standing = make()
    standing.note(Fenced(successor="worker-3-2"))
    assert standing.last_words(finished=False).reason == "replaced by worker-3-2"
