"""Conventions that every metric keeps, whoever exposes it."""

import re
from itertools import chain

import pytest

from gossip_api.metrics import jobs, operator, processes
from gossip_api.metrics.metric import Kind, Metric

EXPOSED = {
    "process": processes.COMMON,
    "worker": processes.WORKER,
    "server": processes.SERVER,
    "evaluator": processes.EVALUATOR,
    "job": jobs.JOB,
    "operator": operator.OPERATOR,
}
EVERY = tuple(chain.from_iterable(EXPOSED.values()))
TIMES = {"duration", "latency", "timestamp", "eta"}
NOT_BASE = {"ms", "milliseconds", "minutes", "hours", "percent", "kb", "mb", "kilobytes", "bits"}
TAKEN = {"job", "instance", "pod", "le", "quantile", *processes.IDENTITY, *jobs.IDENTITY}
"""Labels that scrapers and Prometheus give."""


def each(test):
    return pytest.mark.parametrize("metric", EVERY, ids=lambda metric: metric.name)(test)


def test_no_two_metrics_share_a_name_or_a_series():
    names = [series for metric in EVERY for series in metric.series]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("module", [processes, jobs, operator])
def test_every_metric_of_a_module_is_in_its_lists(module):
    defined = {value.name for value in vars(module).values() if isinstance(value, Metric)}
    assert defined <= {metric.name for metric in EVERY}


@pytest.mark.parametrize("exposer", EXPOSED)
def test_a_name_says_who_exposes_it(exposer):
    for metric in EXPOSED[exposer]:
        assert re.fullmatch(rf"gossip_{exposer}(_[a-z][a-z0-9]*)+", metric.name), metric.name


@each
def test_counters_and_nothing_else_end_in_total(metric):
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert not metric.name.endswith(("_count", "_sum", "_bucket"))


@each
def test_units_are_base_units_at_the_names_end(metric):
    words = metric.name.removesuffix("_total").split("_")
    assert not NOT_BASE & set(words)
    if TIMES & set(words):
        assert words[-1] == "seconds"


@each
def test_help_is_made_of_whole_sentences(metric):
    assert re.fullmatch(r"(1[; ]|[A-Z]).*\.", metric.help)
    assert "\n" not in metric.help


@each
def test_own_labels_are_few_and_none_that_a_scraper_gives(metric):
    assert not TAKEN & set(metric.labels)
    for label, values in metric.labels.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", label)
        assert len(values) == len(set(values)) <= 10


@each
def test_no_label_names_a_peer(metric):
    assert not {"peer", "source", "target", "to", "from"} & set(metric.labels)


@pytest.mark.parametrize("metric", processes.WORKER, ids=lambda metric: metric.name)
def test_a_workers_labels_are_closed_sets(metric):
    assert all(metric.labels.values()), "there are many workers, each with a series per value"


@each
def test_only_histograms_have_buckets_and_theirs_are_sorted(metric):
    assert (metric.kind is Kind.HISTOGRAM) == bool(metric.buckets)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert float("inf") not in metric.buckets


@each
def test_what_says_what_something_is_has_labels_and_the_value_one(metric):
    if metric.name.endswith("_info"):
        assert metric.kind is Kind.GAUGE
        assert metric.labels
        assert metric.help.startswith("1;")
