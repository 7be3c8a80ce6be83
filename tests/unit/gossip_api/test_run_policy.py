"""Deadlines of a job, and what is left of it."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from gossip_api.run_policy import RunPolicy


def test_a_job_waits_half_an_hour_for_workers_and_has_no_other_deadline():
    policy = RunPolicy()
    assert policy.start_deadline == timedelta(minutes=30)
    assert policy.active_deadline is None
    assert policy.ttl_after_finished is None


def test_what_still_runs_when_a_job_is_over_is_deleted_unless_said_otherwise():
    assert RunPolicy().clean_pods == "Running"
    assert RunPolicy.model_validate({"cleanPods": "None"}).clean_pods == "None"
    assert RunPolicy.model_validate({"cleanPods": None}).clean_pods == "Running"


@pytest.mark.parametrize(
    "wrong", [{"cleanPods": "Some"}, {"backoffLimitPerWorker": -1}, {"ttlAfterFinished": "0s"}]
)
def test_anything_else_is_refused(wrong):
    with pytest.raises(ValidationError):
        RunPolicy.model_validate(wrong)


def test_deadlines_are_durations():
    policy = RunPolicy.model_validate({"startDeadline": "5m", "activeDeadline": "2d"})
    assert policy.start_deadline == timedelta(minutes=5)
    assert policy.active_deadline == timedelta(days=2)
