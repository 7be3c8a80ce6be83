"""Series that are made anew at every scrape."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from gossip_api.metrics.metric import Sample, counter, gauge, histogram
from gossip_api.metrics.snapshot import Snapshot

EATEN = counter("apples_eaten_total", "Apples that were eaten.", how=("raw", "baked"))
LEFT = gauge("apples_left", "Apples that are left.")


def page(samples):
    registry = CollectorRegistry()
    registry.register(Snapshot(("garden",), lambda: samples))
    return generate_latest(registry).decode()


def test_samples_of_one_metric_stand_together_with_their_labels():
    samples = [
        Sample(LEFT, ("north",), 3),
        Sample(EATEN, ("north",), 1, ("raw",)),
        Sample(LEFT, ("south",), 0.5),
    ]
    assert page(samples).splitlines() == [
        "# HELP apples_left Apples that are left.",
        "# TYPE apples_left gauge",
        'apples_left{garden="north"} 3.0',
        'apples_left{garden="south"} 0.5',
        "# HELP apples_eaten_total Apples that were eaten.",
        "# TYPE apples_eaten_total counter",
        'apples_eaten_total{garden="north",how="raw"} 1.0',
    ]


def test_what_is_known_no_more_leaves_no_trace():
    samples = [Sample(LEFT, ("north",), 3)]
    assert "apples_left" in page(samples)
    samples.clear()
    assert page(samples) == ""


def test_a_histogram_is_refused_by_name():
    ripe = histogram("apples_ripe_seconds", "Time that apples took to ripen.")
    with pytest.raises(ValueError, match="apples_ripe_seconds"):
        page([Sample(ripe, ("north",), 3)])
