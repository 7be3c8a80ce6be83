import math
from types import SimpleNamespace

import pytest
import torch

from gossip_api.names import Role
from gossip_trainer.observability.events import Progress, Reformed
from gossip_trainer.observability.phase_clock import Phase
from gossip_trainer.process.metrics.worker import NORM_SECONDS, WorkerMetrics
from gossip_trainer.training.counters import Counters


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def gradient():
    return torch.tensor([3.0, 4.0])


@pytest.fixture
def page(make_page):
    return make_page(Role.WORKER)


@pytest.fixture
def metrics(page, clock, gradient):
    metrics = WorkerMetrics(
        page.instruments,
        lambda: gradient,
        lambda: 4096,
        clock=clock,
        wall_clock=lambda: 5000.0 + clock.now,
    )
    page.add(metrics)
    return metrics


@pytest.fixture
def boundary():
    return SimpleNamespace(counters=Counters(), own_samples=0, weight=1.0)


def test_what_the_boundary_counts_is_told_when_the_page_is_asked_for(metrics, page, read, boundary):
    metrics.stepped(boundary)
    boundary.counters = Counters(
        steps=1010,
        own_steps=10,
        exchanges=4,
        heard=6,
        lost=2,
        skipped=1,
        unpublished=3,
        received_bytes=400,
        sent_bytes=100,
        nonfinite=5,
    )
    boundary.own_samples, boundary.weight = 320, 0.75
    assert read(page, "gossip_worker_step") == 1010
    assert read(page, "gossip_worker_steps_total") == 10
    assert read(page, "gossip_worker_samples_total") == 320
    results = ("completed", "lost", "skipped")
    found = [read(page, "gossip_worker_exchanges_total", result=result) for result in results]
    assert found == [4, 2, 1]
    assert read(page, "gossip_worker_messages_total") == 6
    transferred = "gossip_worker_transferred_bytes_total"
    assert read(page, transferred, direction="received") == 400
    assert read(page, transferred, direction="sent") == 4096 + 100
    assert read(page, "gossip_worker_unpublished_steps_total") == 3
    assert read(page, "gossip_worker_nonfinite_steps_total") == 5
    assert read(page, "gossip_worker_push_sum_weight") == 0.75


def test_a_step_lasts_from_the_end_of_the_one_before(metrics, page, read, boundary, clock):
    for seconds in (7.0, 0.5, 0.25):
        clock.now += seconds
        metrics.stepped(boundary)
    assert read(page, "gossip_worker_step_duration_seconds_count") == 2
    assert read(page, "gossip_worker_step_duration_seconds_sum") == 0.75
    assert read(page, "gossip_worker_last_step_timestamp_seconds") == 5107.75


def test_the_norm_is_taken_at_the_first_step_and_then_only_now_and_then(
    metrics, page, read, boundary, clock, gradient
):
    metrics.stepped(boundary)
    gradient.zero_()
    clock.now += NORM_SECONDS / 2
    metrics.stepped(boundary)
    assert read(page, "gossip_worker_gradient_norm") == 5
    clock.now += NORM_SECONDS / 2
    metrics.stepped(boundary)
    assert read(page, "gossip_worker_gradient_norm") == 0


def test_a_peer_that_is_ahead_has_a_fresh_model(metrics, page, read):
    for age in (-3, 0, 5):
        metrics.took_in(age)
    assert read(page, "gossip_worker_staleness_steps_bucket", le="0.0") == 2
    assert read(page, "gossip_worker_staleness_steps_count") == 3
    assert read(page, "gossip_worker_staleness_steps_sum") == 5


def test_checkpoints_are_counted_and_the_last_one_that_is_whole_is_told_of(
    metrics, page, read, clock
):
    metrics.checkpoint_saved(1.5)
    clock.now += 60
    metrics.checkpoint_saved(0.5)
    clock.now += 60
    metrics.checkpoint_failed()
    assert read(page, "gossip_worker_checkpoints_total", result="saved") == 2
    assert read(page, "gossip_worker_checkpoints_total", result="failed") == 1
    assert read(page, "gossip_worker_checkpoint_duration_seconds") == 0.5
    assert read(page, "gossip_worker_last_checkpoint_timestamp_seconds") == 5160


def test_before_the_first_checkpoint_there_is_no_last_one(metrics, page, read):
    assert read(page, "gossip_worker_checkpoints_total", result="saved") == 0
    assert math.isnan(read(page, "gossip_worker_last_checkpoint_timestamp_seconds"))


def test_exchanges_are_told_with_their_durations(metrics, page, read):
    metrics.exchange_ended(0.25)
    assert read(page, "gossip_worker_exchange_duration_seconds_sum") == 0.25
    assert read(page, "gossip_worker_exchange_duration_seconds_count") == 1


def test_phases_are_told_before_the_first_step_as_well(metrics, page, read, clock):
    metrics.phases.start(Phase.DATA)
    clock.now += 3.0
    metrics.entered(Phase.COMPUTE)
    clock.now += 1.0
    assert read(page, "gossip_worker_phase_seconds_total", phase="data") == 3
    assert read(page, "gossip_worker_phase_seconds_total", phase="compute") == 1


def report(loss):
    return Progress(
        step=10,
        samples=320,
        job_samples=320,
        epoch=0.2,
        loss=loss,
        learning_rate=0.1,
        samples_per_second=320.0,
        exchanges=9,
        lost=0,
        skipped=0,
        staleness=1.0,
        received_bytes=1000,
        sent_bytes=1000,
        unpublished=0,
        peers=7,
    )


def test_a_report_brings_the_mean_loss_and_the_learning_rate(metrics, page, read):
    page.note(report(loss=0.5))
    assert read(page, "gossip_worker_loss") == 0.5
    assert read(page, "gossip_worker_learning_rate") == 0.1
    page.note(report(loss=None))
    assert math.isnan(read(page, "gossip_worker_loss"))


def test_every_group_that_the_worker_enters_is_counted(metrics, page, read):
    for generation in (1, 2):
        page.note(Reformed(generation=generation, ranks=(0, 1), step=0, digest=""))
    assert read(page, "gossip_worker_generations_total") == 2
