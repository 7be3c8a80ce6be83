import math
from datetime import timedelta

import pytest

from gossip_api.names import Role
from gossip_trainer.observability.events import Evaluation
from gossip_trainer.process.metrics.evaluator import EvaluatorMetrics

NAMES = (
    "gossip_evaluator_loss",
    "gossip_evaluator_accuracy_ratio",
    "gossip_evaluator_consensus_distance",
    "gossip_evaluator_consensus_distance_ratio",
)


def evaluation(**changes):
    found = {
        "time": 5000.0,
        "seconds": 1.0,
        "job_samples": 6400,
        "epoch": 6.4,
        "averaged": 3,
        "missed": ("worker-3-0",),
        "loss": 0.4,
        "accuracy": 0.9,
        "consensus_distance": 0.25,
        "relative_consensus_distance": 0.01,
        "min_step": 90,
        "max_step": 100,
        "workers": (),
        "final": False,
        "took": 0.5,
    }
    return Evaluation(**found | changes)


@pytest.fixture
def page(make_page):
    page = make_page(Role.EVALUATOR)
    page.add(EvaluatorMetrics(page.instruments, timedelta(seconds=30)))
    return page


def test_an_evaluation_is_told_with_all_it_found(page, read):
    page.note(evaluation())
    assert [read(page, name) for name in NAMES] == [0.4, 0.9, 0.25, 0.01]
    assert read(page, "gossip_evaluator_averaged_workers") == 3
    assert read(page, "gossip_evaluator_spread_steps") == 10
    assert read(page, "gossip_evaluator_last_evaluation_timestamp_seconds") == 5000


def test_evaluations_are_counted_with_their_durations_and_misses(page, read):
    page.note(evaluation(took=0.5))
    page.note(evaluation(took=1.5, missed=("worker-1-0", "worker-3-0")))
    assert read(page, "gossip_evaluator_evaluations_total") == 2
    assert read(page, "gossip_evaluator_missed_workers_total") == 3
    assert read(page, "gossip_evaluator_evaluation_duration_seconds_sum") == 2
    assert read(page, "gossip_evaluator_evaluation_duration_seconds_count") == 2


def test_what_an_evaluation_does_not_know_is_no_number_and_not_what_was_known_before(page, read):
    page.note(evaluation())
    page.note(
        evaluation(
            loss=None, accuracy=None, consensus_distance=None, relative_consensus_distance=None
        )
    )
    assert all(math.isnan(read(page, name)) for name in NAMES)


def test_the_interval_that_the_job_asks_for_is_told_from_the_start(page, read):
    assert read(page, "gossip_evaluator_interval_seconds") == 30
