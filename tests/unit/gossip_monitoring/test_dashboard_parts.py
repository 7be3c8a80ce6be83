"""What dashboards are made with: the layout, Grafana's variables, expressions, written values."""

import pytest

from gossip_api.metrics import jobs, operator, processes
from gossip_monitoring.dashboards.document import document, places
from gossip_monitoring.dashboards.drawing.words import written
from gossip_monitoring.dashboards.expressions import (
    CHOSEN_JOBS,
    JOB,
    gathered,
    known,
    numbered,
    of,
    quantile,
    rate,
)
from gossip_monitoring.dashboards.interpolation import interpolate, legend, rate_interval
from gossip_monitoring.dashboards.panel import Dashboard, Panel, Query, Row, Unit


def panel(width, height=8):
    return Panel("title", "text.", Unit.NONE, (Query("up"),), width=width, height=height)


def test_panels_go_from_left_to_right_and_then_below_the_highest():
    panels = [panel(8), panel(8, height=10), panel(8), panel(12), panel(12)]
    assert places(panels, 3) == [(0, 3), (8, 3), (16, 3), (0, 13), (12, 13)]


def test_a_row_begins_below_all_panels_of_the_one_before():
    rows = (Row("a", (panel(12, 4), panel(12, 9))), Row("b", (panel(24),)))
    found = document(Dashboard("uid", "title", "text", (), rows))["panels"]
    tops = [(each["title"], each["gridPos"]["y"]) for each in found if each["type"] == "row"]
    assert tops == [("a", 0), ("b", 10)]


def test_a_collapsed_row_holds_its_panels_and_takes_one_line():
    rows = (Row("a", (panel(24),), collapsed=True), Row("b", (panel(24),)))
    first, second, _ = document(Dashboard("uid", "title", "text", (), rows))["panels"]
    assert [each["title"] for each in first["panels"]] == ["title"]
    assert second["gridPos"]["y"] == 1


def test_a_selector_has_what_is_chosen_before_its_own_labels():
    selected = of(processes.EXCHANGES, result="lost")
    assert selected == f'gossip_worker_exchanges_total{{{CHOSEN_JOBS},result="lost"}}'


def test_a_label_or_value_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="late"):
        of(processes.EXCHANGES, result="late")
    with pytest.raises(ValueError, match="colour"):
        of(processes.STEP, colour="red")


def test_expressions_gather_by_labels_of_the_job():
    assert known(jobs.LOSS) == f"max by (namespace, job_name) (gossip_job_loss{{{CHOSEN_JOBS}}})"
    assert gathered("quantile 0.5", JOB, "x") == "quantile by (namespace, job_name) (0.5, x)"
    assert gathered("sum", (), "x") == "sum(x)"
    assert rate((), "x") == "sum(rate(x[$__rate_interval]))"


def test_a_quantile_is_of_the_buckets():
    expr = quantile(0.95, (), operator.QUEUE_SECONDS, "a=b")
    buckets = "gossip_operator_queue_latency_seconds_bucket{a=b}"
    assert expr == f"histogram_quantile(0.95, sum by (le) (rate({buckets}[$__rate_interval])))"


def test_states_are_numbered_in_their_order():
    expr = numbered(jobs.STATE, "state")
    assert expr.index('0 * gossip_job_state{namespace=~"$namespace"') < expr.index("1 * gossip_")
    assert expr.count(" or ") == len(jobs.STATE.labels["state"]) - 1


def test_one_value_is_put_in_as_it_is_and_several_as_a_choice():
    text = 'x{a=~"$a",b="${b}"}'
    assert interpolate(text, {"a": ("one",), "b": "two"}) == 'x{a=~"one",b="two"}'
    assert interpolate(text, {"a": ("one", "a.b"), "b": ""}) == 'x{a=~"(one|a\\\\.b)",b=""}'


def test_a_variable_without_a_value_is_an_error():
    with pytest.raises(KeyError, match="job"):
        interpolate("$job", {})


def test_a_rate_spans_four_scrapes_at_least():
    assert rate_interval(step=2, scrape_interval=15) == "60s"
    assert rate_interval(step=120, scrape_interval=15) == "135s"


def test_a_label_that_a_series_does_not_have_leaves_nothing_in_its_name():
    name = legend("{{job_name}} {{strategy}} {{exchange}}", {"job_name": "a", "strategy": "b"})
    assert name == "a b"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, Unit.NONE, "0"),
        (1234.5, Unit.NONE, "1234"),
        (1234.5, Unit.SHORT, "1.23 K"),
        (0.456, Unit.RATIO, "45.6%"),
        (0.0031, Unit.SECONDS, "3.1 ms"),
        (0.00031, Unit.SECONDS, "310 µs"),
        (0.0, Unit.SECONDS, "0 s"),
        (90.0, Unit.SECONDS, "1.5 min"),
        (2048.0, Unit.BYTES, "2 KiB"),
        (2_500_000.0, Unit.BYTES_PER_SECOND, "2.5 MB/s"),
        (12.0, Unit.MESSAGES_PER_SECOND, "12 msg/s"),
        (float("nan"), Unit.SECONDS, "nan"),
    ],
)
def test_values_are_written_in_their_unit(value, unit, text):
    assert written(value, unit) == text
