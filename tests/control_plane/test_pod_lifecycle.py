"""Pods that are deleted, evicted, fail or are lost, on a real API server with simulated nodes."""

import time

import pytest
from cluster_jobs import conditions, job, member_of
from testbed.rest import STRATEGIC_PATCH
from testbed.simulated_nodes import WAITING_ANNOTATION
from testbed.waiting import wait_for

from gossip_api.names import Role
from gossip_api.process import LastWords

pytestmark = pytest.mark.control_plane


def replaced(jobs, name, rank, incarnation, role=Role.WORKER, seconds=20):
    """Wait for the pod of a rank's incarnation and return it."""

    def look():
        pod = jobs.live(name, role).get(rank)
        return pod if pod and member_of(pod).incarnation == incarnation else None

    return wait_for(look, f"{role}-{rank}-{incarnation}", seconds=seconds)


def failures(jobs, name):
    return jobs.get(name)["status"].get("failures", [])


def test_all_pods_of_a_job_come_up_and_its_status_says_so(jobs, operator):
    name = jobs.create(job(replicas=3))

    status = jobs.wait_ready(name, 3)["status"]

    assert sorted(jobs.live(name)) == [0, 1, 2]
    assert list(jobs.live(name, Role.EVALUATOR)) == [0]
    assert status["workers"] | {"selector": ""} == {
        "desired": 3,
        "active": 3,
        "ready": 3,
        "succeeded": 0,
        "failed": 0,
        "display": "3/3",
        "selector": "",
    }
    assert conditions(jobs.get(name))["Accepted"]["status"] == "True"


def test_a_strategy_with_servers_gets_one_pod_per_shard(jobs, operator):
    name = jobs.create(job(strategy={"type": "ElasticAveraging"}, server={"shards": 2}))
    jobs.wait_ready(name, 3)
    assert sorted(jobs.live(name, Role.SERVER)) == [0, 1]


def test_a_deleted_worker_is_replaced_at_once_by_the_next_incarnation(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    time.sleep(3)  # a pod is given so long before anybody takes its place
    others = {pod["metadata"]["uid"] for rank, pod in jobs.live(name).items() if rank != 1}

    start = time.monotonic()
    jobs.delete_pod(jobs.live(name)[1], grace=30)
    replaced(jobs, name, 1, 1, seconds=5)

    assert time.monotonic() - start < 2
    jobs.wait_ready(name, 3)
    assert others == {p["metadata"]["uid"] for r, p in jobs.live(name).items() if r != 1}
    found = wait_for(lambda: [f for f in failures(jobs, name) if f["index"] == 1], "failure")
    assert {f["reason"] for f in found} == {"Deleted"}


def test_a_replacement_does_not_wait_for_a_pod_that_never_ends(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    stuck = jobs.live(name)[0]
    path = f"{jobs.pods_path}/{stuck['metadata']['name']}"
    jobs.bed.api.patch(path, {"metadata": {"finalizers": ["test/stuck"]}})
    try:
        jobs.delete_pod(stuck)
        replaced(jobs, name, 0, 1)
        assert jobs.bed.api.get(path)["metadata"]["deletionTimestamp"]
    finally:
        jobs.bed.api.patch(path, {"metadata": {"finalizers": None}})


def test_an_evicted_worker_is_replaced_and_it_does_not_count_against_the_limit(jobs, operator):
    body = job()
    body["spec"]["runPolicy"] = {"backoffLimitPerWorker": 0}
    name = jobs.create(body)
    jobs.wait_ready(name, 3)
    for incarnation in (1, 2):
        pod = jobs.live(name)[2]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": pod["metadata"]}
        jobs.bed.api.create(
            f"{jobs.pods_path}/{pod['metadata']['name']}/eviction",
            eviction | {"metadata": {"name": pod["metadata"]["name"]}},
        )
        replaced(jobs, name, 2, incarnation)
        jobs.wait_ready(name, 3)
    assert conditions(jobs.get(name))["Failed"]["status"] == "False"


def test_a_worker_that_the_kubelet_evicts_is_replaced_with_the_real_reason(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    pod = jobs.live(name)[0]
    jobs.bed.api.patch(
        f"{jobs.pods_path}/{pod['metadata']['name']}/status",
        {
            "status": {
                "phase": "Failed",
                "reason": "Evicted",
                "message": "The node was low on resource: memory.",
                "conditions": [
                    {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}
                ],
            }
        },
        STRATEGIC_PATCH,
    )
    replaced(jobs, name, 0, 1)
    found = wait_for(
        lambda: [f for f in failures(jobs, name) if f["reason"] == "Evicted"], "failure"
    )
    assert "low on resource" in found[0]["message"]


def test_a_container_that_is_restarted_in_place_keeps_its_pod(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    pod = jobs.live(name)[1]

    jobs.end(pod, 137, reason="OOMKilled")

    found = wait_for(
        lambda: [f for f in failures(jobs, name) if f["reason"] == "OOMKilled"], "failure"
    )
    assert found[0] | {"time": "", "message": "", "node": ""} == {
        "role": "worker",
        "index": 1,
        "reason": "OOMKilled",
        "exitCode": 137,
        "message": "",
        "node": "",
        "time": "",
    }
    assert jobs.live(name)[1]["metadata"]["uid"] == pod["metadata"]["uid"]
    assert jobs.get(name)["status"]["restarts"] == 1


def test_a_crash_loop_is_replaced_after_three_restarts_in_place(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    pod = jobs.live(name)[1]
    for _ in range(3):
        jobs.end(pod, 1, LastWords(reason="the disk is full"))
    crash_loop(jobs, pod)

    replaced(jobs, name, 1, 1)

    wait_for(
        lambda: any(
            "the disk is full" in f["message"] and f["exitCode"] == 1 for f in failures(jobs, name)
        ),
        "failure",
    )


def crash_loop(jobs, pod):
    """Let the trainer wait for its next start, as the kubelet does after several failures."""
    path = f"{jobs.pods_path}/{pod['metadata']['name']}"
    (status,) = jobs.bed.api.get(path)["status"]["containerStatuses"]
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}
    status |= {"state": waiting, "ready": False}
    jobs.bed.api.patch(f"{path}/status", {"status": {"containerStatuses": [status]}})


def test_a_user_error_fails_the_job_at_once_with_its_message(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)

    jobs.end(jobs.live(name)[2], 64, LastWords(reason="spec.training.model: no such model"))

    failed = jobs.wait_condition(name, "Failed", reason="UserError")
    assert "no such model" in failed["message"]
    assert jobs.get(name)["status"]["state"] == "Failed"
    wait_for(lambda: not jobs.live(name), "end of the other pods")
    assert not any(member_of(pod).incarnation for pod in jobs.pods(name))


def test_a_rank_that_fails_too_often_is_given_up_and_too_few_fail_the_job(jobs, operator):
    body = job(replicas=2)
    body["spec"]["workers"]["minReplicas"] = 2
    body["spec"]["runPolicy"] = {"backoffLimitPerWorker": 1}
    name = jobs.create(body)
    jobs.wait_ready(name, 2)
    for incarnation in (1, None):
        pod = jobs.live(name)[0]
        for _ in range(3):
            jobs.end(pod, 1, LastWords(reason="broken"))
        crash_loop(jobs, pod)
        if incarnation is not None:
            replaced(jobs, name, 0, incarnation)
            jobs.wait_ready(name, 2)
    failed = jobs.wait_condition(name, "Failed", reason="TooFewWorkers")
    assert "backoffLimitPerWorker" in failed["message"]
    assert "broken" in failed["message"]


def test_an_image_that_cannot_be_pulled_shows_and_makes_no_new_pods(jobs, operator):
    body = job()
    template = {"metadata": {"annotations": {WAITING_ANNOTATION: "ImagePullBackOff"}}}
    body["spec"]["workers"]["template"] = template
    name = jobs.create(body)

    found = jobs.wait_condition(name, "WorkersReady", "False", "ImageError")

    assert "ImagePullBackOff" in found["message"]
    before = {pod["metadata"]["uid"] for pod in jobs.pods(name)}
    time.sleep(3)
    assert before == {pod["metadata"]["uid"] for pod in jobs.pods(name)}


def test_a_pod_that_fits_nowhere_shows_the_schedulers_words(jobs, operator):
    body = job()
    trainer = {"name": "trainer", "resources": {"limits": {"nvidia.com/gpu": 99}}}
    body["spec"]["workers"]["template"] = {"spec": {"containers": [trainer]}}
    name = jobs.create(body)
    found = jobs.wait_condition(name, "WorkersReady", "False", "Unschedulable")
    assert "Insufficient nvidia.com/gpu" in found["message"]


def test_a_template_that_the_api_server_refuses_makes_the_job_not_accepted(jobs, operator):
    body = job()
    trainer = {"name": "trainer", "resources": {"limits": {"cpu": "many"}}}
    body["spec"]["workers"]["template"] = {"spec": {"containers": [trainer]}}
    name = jobs.create(body)
    found = jobs.wait_condition(name, "Accepted", "False", "InvalidPodTemplate")
    assert "quantities" in found["message"].lower()
    assert not jobs.pods(name, Role.WORKER)


def test_a_lost_evaluator_is_replaced(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    jobs.delete_pod(jobs.live(name, Role.EVALUATOR)[0])
    replaced(jobs, name, 0, 1, Role.EVALUATOR)


def test_failures_and_back_off_outlive_the_operator(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    pod = jobs.live(name)[0]
    for _ in range(3):
        jobs.end(pod, 1, LastWords(reason="broken"))
    crash_loop(jobs, pod)
    replaced(jobs, name, 0, 1)
    entry = {"role": "worker", "index": 0, "incarnation": 1, "failures": 1}
    remembered = wait_for(lambda: ledger(jobs, name), "ledger")[0]
    assert {key: remembered[key] for key in entry} == entry

    operator.kill()
    jobs.delete_pod(jobs.live(name)[0])
    wait_for(lambda: 0 not in jobs.live(name), "end of the pod")
    operator.start()

    replaced(jobs, name, 0, 2)  # never a name that was used before
    assert ledger(jobs, name)[0]["failures"] == 1


def ledger(jobs, name):
    entries = jobs.get(name)["status"].get("ledger", [])
    return [entry for entry in entries if entry.get("failures") and entry.get("incarnation")]
