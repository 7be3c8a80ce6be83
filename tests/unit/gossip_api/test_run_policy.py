"""Deadlines of a job."""

from datetime import timedelta

from gossip_api.run_policy import RunPolicy


def test_a_job_waits_half_an_hour_for_workers_and_has_no_other_deadline():
    assert RunPolicy() == RunPolicy(start_deadline=timedelta(minutes=30), active_deadline=None)


def test_deadlines_are_durations():
    policy = RunPolicy.model_validate({"startDeadline": "5m", "activeDeadline": "2d"})
    assert policy.start_deadline == timedelta(minutes=5)
    assert policy.active_deadline == timedelta(days=2)
