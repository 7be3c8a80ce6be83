"""Selectors: what the registry does not have cannot be asked for."""

import pytest

from gossip_api.metrics import jobs, operator, processes
from gossip_monitoring.promql import PROCESS_START, select, select_any


def test_without_labels_a_selector_is_the_name():
    assert select(processes.LOSS) == "gossip_worker_loss"


def test_one_value_is_matched_exactly_and_several_by_an_alternative():
    assert select(jobs.STATE, state="Running") == 'gossip_job_state{state="Running"}'
    several = select(jobs.STATE, state=("Running", "Degraded"))
    assert several == 'gossip_job_state{state=~"Running|Degraded"}'


def test_labels_that_a_scraper_adds_may_be_asked_for():
    assert select(PROCESS_START, role="worker") == 'process_start_time_seconds{role="worker"}'


def test_a_label_of_open_values_takes_any():
    assert select(operator.REQUESTS, code="5..").endswith('{code="5.."}')


def test_a_part_of_a_histogram_has_its_own_name():
    found = select(processes.STALENESS, part="bucket")
    assert found == "gossip_worker_staleness_steps_bucket"


def test_several_metrics_are_selected_by_name():
    assert select_any(jobs.BEGAN, jobs.UPDATED) == (
        '{__name__=~"gossip_job_began_timestamp_seconds|gossip_job_progress_timestamp_seconds"}'
    )


def test_a_value_that_a_label_never_has_is_refused():
    with pytest.raises(ValueError, match="state='Walking' of gossip_job_state; has Pending, "):
        select(jobs.STATE, state="Walking")


def test_a_label_that_a_metric_does_not_have_is_refused():
    with pytest.raises(ValueError, match="label phase; gossip_worker_exchanges_total has result"):
        select(processes.EXCHANGES, phase="wait")


def test_a_part_of_what_is_no_histogram_is_refused():
    with pytest.raises(ValueError, match="gossip_worker_loss_bucket; gossip_worker_loss has "):
        select(processes.LOSS, part="bucket")
