from types import SimpleNamespace

import pytest

from gossip_trainer.algorithms.view import make_view
from gossip_trainer.observability.events import ExchangeLost, Progress, ViewChanged
from gossip_trainer.training.counters import Counters
from gossip_trainer.training.reports import EventObserver


class Events:
    def __init__(self):
        self.records = []

    def emit(self, record):
        self.records.append(record)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def boundary():
    return SimpleNamespace(
        counters=Counters(),
        own_samples=0,
        job_samples=0,
        epoch=0.0,
        view=make_view(2, {0: 0, 1: 0, 4: 0}),
    )


@pytest.fixture
def observer(events, clock):
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.05}])
    return EventObserver(events, SimpleNamespace(sent_bytes=4096), optimizer, clock=clock)


def test_a_report_has_the_totals_and_the_means_since_the_last_one(
    observer, boundary, events, clock
):
    boundary.counters = Counters(
        steps=10,
        own_steps=10,
        exchanges=4,
        heard=6,
        lost=2,
        skipped=1,
        unpublished=3,
        received_bytes=400,
        sent_bytes=100,
        loss_sum=20.0,
        staleness_sum=8,
        num_stale=4,
    )
    boundary.own_samples, boundary.job_samples, boundary.epoch = 320, 960, 0.5
    clock.now += 2.0
    observer.report(boundary)
    assert events.records == [
        Progress(
            step=10,
            samples=320,
            job_samples=960,
            epoch=0.5,
            loss=2.0,
            learning_rate=0.05,
            samples_per_second=160.0,
            exchanges=4,
            heard=6,
            lost=2,
            skipped=1,
            staleness=2.0,
            received_bytes=400,
            sent_bytes=4096 + 100,
            unpublished=3,
            peers=2,
        )
    ]
    counters = boundary.counters
    counters.steps, counters.own_steps, counters.loss_sum = 12, 12, 21.0
    counters.exchanges, counters.staleness_sum, counters.num_stale = 5, 15, 5
    boundary.own_samples = 330
    clock.now += 0.5
    observer.report(boundary)
    second = events.records[1]
    assert (second.loss, second.staleness, second.samples_per_second) == (0.5, 7.0, 20.0)


def test_it_reports_about_once_a_second(observer, boundary, events, clock):
    for _ in range(40):
        clock.now += 0.1
        boundary.counters.steps += 1
        observer.stepped(boundary)
    assert 3 <= len(events.records) <= 4


def test_a_loss_that_is_not_finite_is_null(observer, boundary, events):
    boundary.counters = Counters(steps=2, own_steps=2, loss_sum=1.0, nonfinite=1)
    observer.report(boundary)
    assert events.records[0].loss is None


def test_where_no_step_was_made_since_the_loss_is_that_of_the_report_before(
    observer, boundary, events
):
    boundary.counters = Counters(steps=2, own_steps=2, loss_sum=1.0)
    observer.report(boundary)
    observer.report(boundary)
    assert [record.loss for record in events.records] == [0.5, 0.5]


def test_after_a_loss_that_was_not_finite_later_ones_are_reported_again(observer, boundary, events):
    boundary.counters = Counters(steps=1, own_steps=1, nonfinite=1)
    observer.report(boundary)
    boundary.counters.own_steps += 1
    boundary.counters.loss_sum += 2.5
    observer.report(boundary)
    assert events.records[1].loss == 2.5


def test_steps_that_were_copied_with_another_ones_state_are_not_in_the_mean(
    observer, boundary, events
):
    boundary.counters = Counters(steps=1000, own_steps=2, loss_sum=3.0)
    observer.report(boundary)
    assert (events.records[0].step, events.records[0].loss) == (1000, 1.5)


def test_before_the_first_step_and_exchange_there_are_no_means(observer, boundary, events):
    observer.report(boundary)
    assert (events.records[0].loss, events.records[0].staleness) == (None, None)


def test_lost_exchanges_and_new_views_are_reported_as_they_happen(observer, events):
    observer.exchange_lost("worker-4-0", 17, "it hung up")
    observer.view_changed(make_view(5, {0: 0, 4: 1}))
    assert events.records == [
        ExchangeLost(peer="worker-4-0", step=17, reason="it hung up"),
        ViewChanged(version=5, ranks=(0, 4)),
    ]


def test_a_report_tells_whom_the_worker_exchanged_with_since_the_last_one(
    observer, boundary, events
):
    for peer in ("worker-1-0", "worker-4-0", "worker-1-0"):
        observer.exchanged(peer)
    observer.report(boundary)
    observer.exchanged("worker-4-0")
    observer.report(boundary)

    assert [record.met for record in events.records] == [
        {"worker-1-0": 2, "worker-4-0": 1},
        {"worker-4-0": 1},
    ]
