"""The metrics as objects of the Prometheus client."""

import math

import pytest
from prometheus import check_metrics
from prometheus_client.parser import text_string_to_metric_families

from gossip_api.metrics import jobs, operator, processes
from gossip_api.metrics.instruments import Instruments
from gossip_api.metrics.metric import ANY, counter, gauge, histogram

EATEN = counter("apples_eaten_total", "Apples that were eaten.", how=("raw", "baked"))
SOLD = counter("apples_sold_total", "Apples that were sold.", shop=ANY)
LEFT = gauge("apples_left", "Apples that are left.")
RIPE = histogram("apples_ripe_seconds", "Time that apples took to ripen.", (1.0, 2.0))


def samples(page):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
        if not sample.name.startswith("process_")
    }


def test_series_whose_labels_are_known_are_there_from_the_start():
    assert samples(Instruments([EATEN]).page()) == {
        ("apples_eaten_total", "raw"): 0,
        ("apples_eaten_total", "baked"): 0,
    }


def test_series_of_open_labels_come_with_their_values():
    made = Instruments([SOLD])
    assert samples(made.page()) == {}
    made.counter(SOLD).labels("corner").inc(2)
    assert samples(made.page()) == {("apples_sold_total", "corner"): 2}


def test_a_gauge_that_was_never_set_is_not_a_number():
    made = Instruments([LEFT])
    assert math.isnan(samples(made.page())[("apples_left",)])
    made.gauge(LEFT).set(3)
    assert samples(made.page()) == {("apples_left",): 3}


def test_a_histogram_has_the_buckets_of_its_metric():
    made = Instruments([RIPE])
    made.histogram(RIPE).observe(1.5)
    assert samples(made.page()) == {
        ("apples_ripe_seconds_bucket", "1.0"): 0,
        ("apples_ripe_seconds_bucket", "2.0"): 1,
        ("apples_ripe_seconds_bucket", "+Inf"): 1,
        ("apples_ripe_seconds_sum",): 1.5,
        ("apples_ripe_seconds_count",): 1,
    }


@pytest.mark.parametrize("metric", [EATEN, SOLD, LEFT, RIPE], ids=lambda metric: metric.name)
def test_a_metric_knows_how_many_series_it_has(metric):
    made = Instruments([metric])
    if metric is SOLD:
        made.counter(SOLD).labels("corner").inc()
    assert len(samples(made.page())) == metric.num_series


def test_two_pages_of_one_process_have_nothing_in_common():
    one, other = Instruments([LEFT]), Instruments([LEFT])
    one.gauge(LEFT).set(1)
    other.gauge(LEFT).set(2)
    assert samples(one.page()) == {("apples_left",): 1}


def test_the_process_itself_is_on_the_page():
    assert b"\nprocess_start_time_seconds " in Instruments([]).page()


@pytest.mark.parametrize(
    "metrics",
    [
        processes.COMMON + processes.WORKER,
        processes.COMMON + processes.SERVER,
        processes.COMMON + processes.EVALUATOR,
        operator.OPERATOR,
        jobs.JOB,
    ],
    ids=["worker", "server", "evaluator", "operator", "job"],
)
def test_promtool_finds_no_fault_with_the_page_of(metrics):
    check_metrics(Instruments(metrics).page())
