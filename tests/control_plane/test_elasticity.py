"""Scaling, suspending and resuming while a job runs."""

import time

import pytest
from cluster_jobs import conditions, job, member_of
from testbed.waiting import wait_for

from gossip_api.names import Role

pytestmark = pytest.mark.control_plane


def uids(jobs, name):
    return {rank: pod["metadata"]["uid"] for rank, pod in jobs.live(name).items()}


def test_scaling_up_adds_ranks_and_touches_no_other_pod(jobs, operator):
    name = jobs.create(job(replicas=3))
    jobs.wait_ready(name, 3)
    before = uids(jobs, name)

    jobs.bed.kubectl("scale", f"gtj/{name}", "--replicas=6", "-n", jobs.namespace)

    jobs.wait_ready(name, 6)
    after = uids(jobs, name)
    assert sorted(after) == [0, 1, 2, 3, 4, 5]
    assert {rank: after[rank] for rank in before} == before


def test_scaling_down_takes_the_least_useful_first(jobs, operator):
    name = jobs.create(job(replicas=4))
    jobs.wait_ready(name, 4)
    before = uids(jobs, name)
    unready = jobs.live(name)[1]
    path = f"{jobs.pods_path}/{unready['metadata']['name']}"
    status = jobs.bed.api.get(path)["status"]
    for condition in status["conditions"]:
        condition["status"] = "False"
    jobs.bed.api.patch(f"{path}/status", {"status": {"conditions": status["conditions"]}})
    jobs.wait_ready(name, 3)

    jobs.bed.kubectl("scale", f"gtj/{name}", "--replicas=2", "-n", jobs.namespace)

    wait_for(lambda: len(jobs.live(name)) == 2, "two workers")
    after = uids(jobs, name)
    assert sorted(after) == [0, 2]
    assert all(before[rank] == uid for rank, uid in after.items())
    time.sleep(2)
    assert uids(jobs, name) == after


def test_the_scale_subresource_tells_pods_and_selector(jobs, operator):
    name = jobs.create(job(replicas=2))
    jobs.wait_ready(name, 2)
    scale = jobs.bed.api.get(f"{jobs.path}/{name}/scale")
    assert scale["spec"]["replicas"] == scale["status"]["replicas"] == 2
    found = jobs.bed.api.list(jobs.pods_path, labelSelector=scale["status"]["selector"])
    assert len(found) == 2


def test_suspending_removes_all_pods_and_resuming_brings_new_ones(jobs, operator):
    name = jobs.create(job(replicas=2))
    jobs.wait_ready(name, 2)

    jobs.change(name, {"suspend": True})

    jobs.wait_condition(name, "Suspended", reason="Suspended")
    assert not jobs.pods(name)
    assert jobs.get(name)["status"]["state"] == "Suspended"

    jobs.change(name, {"suspend": False})

    jobs.wait_ready(name, 2)
    assert {member_of(pod).incarnation for pod in jobs.pods(name)} == {1}


def test_a_job_that_is_created_suspended_has_no_pods(jobs, operator):
    name = jobs.create(job(suspend=True))
    jobs.wait_condition(name, "Suspended", reason="Suspended")
    assert not jobs.pods(name)


def test_a_job_in_a_queue_makes_one_gated_pod_group(jobs, operator):
    body = job(replicas=2)
    body["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team-a"}
    name = jobs.create(body)
    wait_for(lambda: len(jobs.pods(name)) == 3, "the pods of the group")
    for pod in jobs.pods(name):
        assert pod["metadata"]["labels"]["kueue.x-k8s.io/pod-group-name"] == name
        assert pod["spec"]["schedulingGates"] == [{"name": "kueue.x-k8s.io/admission"}]
    for pod in jobs.pods(name):  # as Kueue does when it admits the group
        path = f"{jobs.pods_path}/{pod['metadata']['name']}"
        jobs.bed.api.patch(path, {"spec": {"schedulingGates": None}})
    jobs.wait_ready(name, 2)


def test_the_strategy_may_change_only_while_the_job_is_suspended(jobs, operator):
    name = jobs.create(job())
    with pytest.raises(Exception, match="suspend"):
        jobs.change(name, {"strategy": {"type": "ElasticAveraging"}})
    jobs.change(name, {"suspend": True})
    jobs.wait_condition(name, "Suspended", reason="Suspended")
    jobs.change(name, {"strategy": {"type": "ElasticAveraging"}})
    jobs.change(name, {"suspend": False})
    jobs.wait_ready(name, 3)
    assert list(jobs.live(name, Role.SERVER)) == [0]
    assert conditions(jobs.get(name))["Accepted"]["status"] == "True"
