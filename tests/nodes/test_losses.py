"""Workers, servers, evaluators and the operator are lost in mid-run, in real pods."""

import time

import pytest
from cluster_jobs import member_of
from node_jobs import (
    START_SECONDS,
    events,
    long_job,
    newest_step,
    wait_beginning,
    wait_replacement,
    wait_training,
)
from testbed.nodes import kill_pod
from testbed.waiting import wait_for

from gossip_api.names import Role

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(300)]


def uids(jobs, name):
    return {rank: pod["metadata"]["uid"] for rank, pod in jobs.live(name).items()}


def test_a_deleted_worker_is_replaced_and_the_new_one_copies_a_peers_model(jobs, operator):
    name = jobs.create(long_job())
    wait_training(jobs, name)
    others = {rank: pod for rank, pod in jobs.live(name).items() if rank != 1}
    before = {rank: newest_step(jobs, pod) for rank, pod in others.items()}

    jobs.delete_pod(jobs.live(name)[1], grace=5)

    new = wait_replacement(jobs, name, Role.WORKER, 1)
    began = wait_beginning(jobs, new)
    assert began["model_from"] in {"worker-0-0", "worker-2-0"}
    donor = int(began["model_from"].split("-")[1])
    assert began["step"] >= before[donor]
    assert len(began["digest"]) == 16
    wait_for(lambda: newest_step(jobs, new) > began["step"], "steps from there on", seconds=60)
    assert {rank: uid for rank, uid in uids(jobs, name).items() if rank != 1} == {
        rank: pod["metadata"]["uid"] for rank, pod in others.items()
    }
    assert all(newest_step(jobs, pod) > before[rank] for rank, pod in others.items())


def test_training_does_not_need_the_operator(jobs, operator):
    name = jobs.create(long_job())
    wait_training(jobs, name)
    before = uids(jobs, name)
    operator.kill()
    steps = {rank: newest_step(jobs, pod) for rank, pod in jobs.live(name).items()}
    time.sleep(6)
    for rank, pod in jobs.live(name).items():
        assert newest_step(jobs, pod) > steps[rank]
    operator.start()
    time.sleep(6)
    assert uids(jobs, name) == before
    assert len(jobs.pods(name)) == 4


def test_a_lost_server_comes_back_and_the_loss_goes_on_falling(jobs, operator):
    name = jobs.create(long_job(strategy={"type": "ElasticAveraging"}))
    wait_training(jobs, name)
    wait_for(lambda: loss(jobs, name), "evaluation", seconds=60)
    jobs.delete_pod(jobs.live(name, Role.SERVER)[0])
    at_loss = loss(jobs, name)

    new = wait_replacement(jobs, name, Role.SERVER, 0)
    wait_for(lambda: events(jobs, new, "started"), "new server", seconds=START_SECONDS)

    wait_for(lambda: loss(jobs, name) < at_loss, f"loss below {at_loss}", seconds=90)
    assert {member_of(pod).incarnation for pod in jobs.live(name).values()} == {0}


def loss(jobs, name):
    found = jobs.get(name)["status"].get("progress", {}).get("loss")
    return float(found) if found is not None else None


def test_a_killed_process_is_restarted_in_place_and_joins_again(jobs, operator):
    name = jobs.create(long_job())
    wait_training(jobs, name)
    pod = jobs.live(name)[2]

    kill_pod(pod["metadata"]["uid"])

    wait_for(lambda: restarts(jobs, pod) == 1, "restart in place", seconds=40)
    began = wait_beginning(jobs, pod)
    assert began["model_from"] in {"worker-0-0", "worker-1-0"}
    assert jobs.live(name)[2]["metadata"]["uid"] == pod["metadata"]["uid"]
    failures = jobs.get(name)["status"]["failures"]
    assert any(f["index"] == 2 and f["exitCode"] == 137 for f in failures)


def restarts(jobs, pod):
    found = jobs.bed.api.get(f"{jobs.pods_path}/{pod['metadata']['name']}")
    return found["status"]["containerStatuses"][0]["restartCount"]


def test_all_reduce_goes_on_without_a_lost_worker_and_takes_its_successor_in(jobs, operator):
    strategy = {"type": "AllReduce", "allReduce": {"allowPlaintext": True}}
    name = jobs.create(long_job(strategy=strategy))
    wait_training(jobs, name)
    watched = jobs.live(name)[2]
    groups = len(events(jobs, watched, "reformed"))

    jobs.delete_pod(jobs.live(name)[0])

    new = wait_replacement(jobs, name, Role.WORKER, 0)

    def is_whole():
        found = events(jobs, watched, "reformed")
        return len(found) > groups and sorted(found[-1]["ranks"]) == [0, 1, 2]

    wait_beginning(jobs, new)
    wait_for(is_whole, "a group of all three", seconds=90)
    mine, theirs = events(jobs, new, "reformed")[-1], events(jobs, watched, "reformed")[-1]
    assert (mine["generation"], mine["digest"]) == (theirs["generation"], theirs["digest"])
    at_step = newest_step(jobs, watched)
    wait_for(lambda: newest_step(jobs, watched) > at_step, "steps together", seconds=60)


def test_a_bad_job_fails_at_once_with_the_trainers_own_words(jobs, operator):
    body = long_job()
    body["spec"]["training"]["model"] = {"name": "nowhere.to:be_found"}
    name = jobs.create(body)
    failed = jobs.wait_condition(name, "Failed", reason="UserError", seconds=100)
    assert "nowhere" in failed["message"]


def test_scaling_a_running_job_up_and_down_disturbs_nobody(jobs, operator):
    name = jobs.create(long_job())
    wait_training(jobs, name)
    before = uids(jobs, name)

    jobs.bed.kubectl("scale", f"gtj/{name}", "--replicas=4", "-n", jobs.namespace)

    wait_training(jobs, name, ready=4)
    assert wait_beginning(jobs, jobs.live(name)[3])["model_from"].startswith("worker-")
    jobs.bed.kubectl("scale", f"gtj/{name}", "--replicas=2", "-n", jobs.namespace)
    wait_for(lambda: len(jobs.live(name)) == 2, "two workers", seconds=30)
    left = jobs.live(name)
    steps = {rank: newest_step(jobs, pod) for rank, pod in left.items()}
    assert all(before.get(rank, uid) == uid for rank, uid in uids(jobs, name).items())
    for rank, pod in left.items():
        what = f"further steps of worker {rank}"
        wait_for(lambda pod=pod, rank=rank: newest_step(jobs, pod) > steps[rank], what)


def test_peers_are_found_by_name_where_pods_may_not_ask_the_api_server(jobs, operator):
    body = long_job(discovery={"source": "DNS"})
    body["spec"]["training"]["budget"] = {"epochs": 20}
    body["spec"]["workers"]["minReplicas"] = 3
    name = jobs.create(body)
    jobs.wait_condition(name, "Complete", seconds=150)
    assert not jobs.bed.api.list(
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{jobs.namespace}/roles"
    )
    assert float(jobs.get(name)["status"]["result"]["accuracy"]) > 0.8
