"""Many processes' pages as one, with labels that say whose each series is."""

import pytest
from prometheus import check_metrics
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gossip_api.metrics import processes
from gossip_api.metrics.instruments import Instruments
from gossip_api.names import Member, Role
from gossip_trainer.launch.merged_pages import MergedPages
from gossip_trainer.process.metrics.page import OWN_METRICS


def page_of(role, set_up=lambda _instruments: None):
    instruments = Instruments((*processes.COMMON, *OWN_METRICS[role]))
    set_up(instruments)
    return instruments.page().decode()


@pytest.fixture
def merge():
    """Return a function that merges pages by member."""

    def merge(pages):
        registry = CollectorRegistry()
        registry.register(MergedPages("local", "digits", lambda: pages))
        return generate_latest(registry).decode()

    return merge


def samples(text):
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def test_each_series_says_which_process_of_which_job_it_is_from(merge):
    pages = {
        Member(Role.WORKER, rank, 2): page_of(
            Role.WORKER, lambda i, rank=rank: i.counter(processes.SAMPLES).inc(100 + rank)
        )
        for rank in (0, 3)
    }
    found = [s for s in samples(merge(pages)) if s.name == "gossip_worker_samples_total"]
    job = {"namespace": "local", "job_name": "digits", "role": "worker"}
    assert [(s.labels, s.value) for s in found] == [
        (job | {"rank": "0"}, 100),
        (job | {"rank": "3"}, 103),
    ]


def test_nothing_is_lost_or_changed_but_for_the_labels(merge):
    def fill(instruments):
        instruments.histogram(processes.EXCHANGE_SECONDS).observe(0.2)
        instruments.counter(processes.EXCHANGES).labels(result="lost").inc(7)
        instruments.gauge(processes.LOSS).set(0.125)

    page = page_of(Role.WORKER, fill)
    identity = {"namespace": "local", "job_name": "digits", "role": "worker", "rank": "0"}
    merged = samples(merge({Member(Role.WORKER, 0, 0): page}))
    assert {(s.name, frozenset(s.labels.items()), str(s.value)) for s in merged} == {
        (s.name, frozenset((s.labels | identity).items()), str(s.value)) for s in samples(page)
    }


def test_pages_of_different_roles_stand_side_by_side_and_promtool_finds_no_fault(merge):
    merged = merge({Member(role, 0, 0): page_of(role) for role in Role})
    check_metrics(merged)
    roles = {s.labels["role"] for s in samples(merged) if s.name == "gossip_process_peers"}
    assert roles == set(Role)
    assert merged.count("# TYPE gossip_process_peers ") == 1


def test_with_no_page_there_is_nothing(merge):
    assert merge({}) == ""
