"""The dashboards' queries fit the metrics: names, labels and kinds, and what is chosen."""

import re
from itertools import chain

import pytest

from gossip_api.metrics import jobs, operator, processes
from gossip_monitoring.dashboards.catalogue import DASHBOARDS
from gossip_monitoring.dashboards.choices import STATES
from gossip_monitoring.dashboards.panel import Unit

METRICS = tuple(
    chain(
        *(processes.COMMON, processes.WORKER, processes.SERVER, processes.EVALUATOR),
        *(jobs.JOB, operator.OPERATOR),
    )
)
BY_SERIES = {series: metric for metric in METRICS for series in metric.series}
OTHERS = {
    "process_cpu_seconds_total": "counter",
    "process_resident_memory_bytes": "gauge",
    "process_open_fds": "gauge",
    "ALERTS": "gauge",
}
"""Series of the Prometheus client and of Prometheus itself."""
GROWING = {series for series, metric in BY_SERIES.items() if metric.kind != "gauge"}
GROWING |= {name for name, kind in OTHERS.items() if kind == "counter"}
SCRAPED = {*processes.IDENTITY, "le", "instance", "alertname", "severity", "alertstate"}
SELECTOR = re.compile(r"(\w+)\{([^{}]*)\}")
GROUPED = re.compile(r"(?:by|on|group_left) \(([\w, ]+)\)")
NOT_SHOWN = {
    processes.INFO: "the job's own says more",
    processes.EVALUATED_LOSS: "the job's own outlives the evaluator",
    processes.EVALUATED_ACCURACY: "the job's own outlives the evaluator",
    processes.CONSENSUS_DISTANCE: "the job's own outlives the evaluator",
    jobs.CONDITION: "the state says it in one word",
    jobs.STARTED: "for alerts",
    jobs.UPDATED: "for alerts",
    jobs.STEP: "the workers' own are shown",
}


def queries_of(dashboard):
    return [query.expr for panel in dashboard.panels for query in panel.queries]


EACH = pytest.mark.parametrize(
    "queries", [queries_of(each) for each in DASHBOARDS.values()], ids=DASHBOARDS
)


@EACH
def test_queries_ask_for_series_and_labels_that_there_are(queries):
    for expr in queries:
        selected = SELECTOR.findall(expr)
        names = [name for name, _ in selected]
        assert sorted(re.findall(r"\b(?:gossip_|process_)\w+|\bALERTS\b", expr)) == sorted(names)
        assert set(names) <= {*BY_SERIES, *OTHERS}
        own = {*chain.from_iterable(BY_SERIES[name].labels for name in names if name in BY_SERIES)}
        matched = chain.from_iterable(
            re.findall(r"(\w+)(?:=|!=|=~)\"", matchers) for _, matchers in selected
        )
        grouped = chain.from_iterable(listed.split(", ") for listed in GROUPED.findall(expr))
        assert {*matched, *grouped} <= own | SCRAPED, expr


@EACH
def test_every_selector_is_limited_to_what_is_chosen(queries):
    of_jobs = {'namespace=~"$namespace"', 'job_name=~"$job"'}
    of_replicas = {'namespace=~"$operator_namespace"', 'instance=~"$instance"'}
    of_operators_alerts = {'namespace=~"$operator_namespace|"', 'alertname=~"GossipOperator.+"'}
    for matchers in chain.from_iterable(map(SELECTOR.findall, queries)):
        given = set(matchers[1].split(","))
        assert any(all_of <= given for all_of in (of_jobs, of_replicas, of_operators_alerts))


@EACH
def test_counters_are_asked_for_their_growth_and_nothing_else_is(queries):
    for expr in queries:
        rated = re.findall(r"(?:rate|increase)\((\w+)\{[^{}]*\}\[", expr)
        asked = [name for name, _ in SELECTOR.findall(expr) if name in GROWING]
        assert sorted(rated) == sorted(asked), expr


@EACH
def test_every_range_follows_the_scrape_interval_and_the_zoom(queries):
    for expr in queries:
        assert set(re.findall(r"\[([^\]]*)\]", expr)) <= {"$__rate_interval"}


@EACH
def test_quantiles_keep_the_bounds_of_their_buckets(queries):
    for expr in queries:
        kept = re.findall(r"histogram_quantile\([\d.]+, sum by \(([\w, ]+)\)", expr)
        assert len(kept) == expr.count("histogram_quantile")
        assert all("le" in labels.split(", ") for labels in kept)


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_a_metric_that_is_shown_as_it_is_has_its_own_unit(dashboard):
    units = {"ratio": {Unit.RATIO}, "bytes": {Unit.BYTES}, "seconds": {Unit.SECONDS}}
    for panel in dashboard.panels:
        for query in panel.queries:
            plain = re.fullmatch(r"\w+ by \([\w, ]+\) \((\w+)\{[^{}]*\}\)", query.expr)
            suffix = plain[1].rpartition("_")[2] if plain else ""
            assert (query.unit or panel.unit) in units.get(suffix, set(Unit)), query.expr


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_what_is_measured_in_bytes_or_is_a_share_comes_of_such_metrics(dashboard):
    for panel in dashboard.panels:
        asked = " ".join(query.expr for query in panel.queries)
        match panel.unit:
            case Unit.BYTES:
                assert "_bytes" in asked
            case Unit.BYTES_PER_SECOND:
                assert re.search(r"rate\(\w+_bytes_total", asked)
            case Unit.RATIO:
                assert "_ratio{" in asked or " / " in asked
            case _:
                assert "_ratio{" not in asked or panel.title == "Jobs"


def test_every_metric_is_on_some_dashboard():
    asked = chain.from_iterable(map(queries_of, DASHBOARDS.values()))
    shown = {name for expr in asked for name, _ in SELECTOR.findall(expr)}
    hidden = {metric for metric in METRICS if not shown & set(metric.series)}
    assert {metric.name for metric in hidden} == {metric.name for metric in NOT_SHOWN}


def test_the_words_for_states_are_in_the_order_of_their_numbers():
    assert tuple(STATES) == jobs.STATE.labels["state"]
