"""A namespace that allows fewer pods than a job wants."""

import pytest
from cluster_jobs import job
from testbed.waiting import wait_for

pytestmark = pytest.mark.control_plane


def test_a_quota_is_waited_for_and_shown_and_eats_no_back_off(jobs, operator):
    quota = f"/api/v1/namespaces/{jobs.namespace}/resourcequotas"
    jobs.bed.api.create(quota, {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "2"}}})
    wait_for(lambda: jobs.bed.api.get(f"{quota}/few").get("status", {}).get("hard"), "quota")
    name = jobs.create(job(replicas=5))

    found = jobs.wait_condition(name, "WorkersReady", "False", "QuotaExceeded")

    assert "exceeded quota" in found["message"]
    assert len(jobs.pods(name)) == 2
    jobs.bed.api.delete(f"{quota}/few")
    jobs.wait_ready(name, 5, seconds=50)
