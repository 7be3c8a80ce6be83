"""How jobs end, what is left of them, and that nothing ever gets stuck."""

import pytest
from cluster_jobs import Jobs, conditions, job, member_of
from testbed.waiting import wait_for

from gossip_api.names import Role
from gossip_api.process import LastWords, Stop

pytestmark = pytest.mark.control_plane

KINDS = (
    "/api/v1/namespaces/{}/configmaps",
    "/api/v1/namespaces/{}/secrets",
    "/api/v1/namespaces/{}/services",
    "/api/v1/namespaces/{}/serviceaccounts",
    "/api/v1/namespaces/{}/pods",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
)


def children(jobs, name):
    selector = f"gossip.training/job-name={name}"
    return {
        path.rpartition("/")[2]: found
        for path in KINDS
        if (found := jobs.bed.api.list(path.format(jobs.namespace), labelSelector=selector))
    }


def test_a_job_is_complete_when_the_evaluators_result_is_recorded(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)

    jobs.finish(name, accuracy=0.93)

    jobs.bed.kubectl(
        "wait", "--for=condition=Complete", f"gtj/{name}", "--timeout=20s", "-n", jobs.namespace
    )
    status = jobs.get(name)["status"]
    assert status["state"] == "Succeeded"
    assert status["finished"] is True
    assert status["result"]["accuracy"] == "0.93"
    assert status["stop"]["reason"] == "budget"
    assert status["completionTime"]
    assert status["workers"]["succeeded"] == 3


def test_a_complete_job_that_is_scaled_can_still_be_waited_for(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    jobs.finish(name)
    jobs.wait_condition(name, "Complete")
    jobs.change(name, {"workers": {"replicas": 5}})
    jobs.bed.kubectl(
        "wait", "--for=condition=Complete", f"gtj/{name}", "--timeout=20s", "-n", jobs.namespace
    )
    assert not jobs.live(name)


def test_after_the_budget_no_worker_is_replaced_but_a_lost_evaluator_is(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    stop = Stop(reason="budget", by="worker-1-0")
    jobs.end(jobs.live(name)[1], 0, LastWords(step=9, finished=True, stop=stop))
    jobs.wait_condition(name, "Progressing", reason="Finishing")

    jobs.delete_pod(jobs.live(name)[0])
    jobs.delete_pod(jobs.live(name, Role.EVALUATOR)[0])

    wait_for(lambda: 0 in jobs.live(name, Role.EVALUATOR), "a new evaluator")
    assert list(jobs.live(name)) == [2]


def test_a_worker_that_left_before_its_work_was_done_is_replaced(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    jobs.end(jobs.live(name)[1], 0, LastWords(step=9, finished=False))
    wait_for(lambda: 1 in jobs.live(name), "replacement")
    assert member_of(jobs.live(name)[1]).incarnation == 1


def test_a_job_that_ends_at_its_deadline_has_failed_and_keeps_its_result(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    jobs.finish(name, accuracy=0.5, reason="deadline")
    jobs.wait_condition(name, "Failed", reason="ActiveDeadlineExceeded")
    assert jobs.get(name)["status"]["result"]["accuracy"] == "0.5"


def test_a_job_whose_workers_cannot_start_fails_at_the_start_deadline(jobs, operator):
    body = job()
    trainer = {"name": "trainer", "resources": {"limits": {"nvidia.com/gpu": 99}}}
    body["spec"]["workers"]["template"] = {"spec": {"containers": [trainer]}}
    body["spec"]["runPolicy"] = {"startDeadline": "3s"}
    name = jobs.create(body)
    failed = jobs.wait_condition(name, "Failed", reason="StartDeadlineExceeded")
    assert "startDeadline" in failed["message"]


@pytest.mark.parametrize(("policy", "left"), [("Running", 3), ("All", 0), ("None", 4)])
def test_after_the_end_pods_are_cleaned_up_as_the_job_says(jobs, operator, policy, left):
    body = job()
    body["spec"]["runPolicy"] = {"cleanPods": policy}
    name = jobs.create(body)
    jobs.wait_ready(name, 3)
    done = [jobs.live(name)[rank] for rank in (0, 1)]
    stop = Stop(reason="budget", by="worker-0-0")
    for pod in done:
        jobs.end(pod, 0, LastWords(step=9, finished=True, stop=stop))
    jobs.wait_condition(name, "Progressing", reason="Finishing")
    evaluator = jobs.live(name, Role.EVALUATOR)[0]
    jobs.end(evaluator, 0, LastWords(finished=True, stop=stop, result={"loss": 1.0}))
    jobs.wait_condition(name, "Complete")
    wait_for(lambda: len(jobs.pods(name)) == left, f"{left} pods left")


def test_a_job_is_deleted_when_its_time_to_live_is_over(jobs, operator):
    body = job()
    body["spec"]["runPolicy"] = {"ttlAfterFinished": "2s"}
    name = jobs.create(body)
    jobs.wait_ready(name, 3)
    jobs.finish(name)
    wait_for(lambda: not jobs.bed.api.exists(f"{jobs.path}/{name}"), "end of the job", seconds=20)
    wait_for(lambda: not children(jobs, name), "end of its children")


def test_deleting_a_job_deletes_all_that_was_made_for_it(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    assert len(children(jobs, name)) == len(KINDS)
    jobs.bed.kubectl("delete", f"gtj/{name}", "-n", jobs.namespace, "--timeout=10s")
    wait_for(lambda: not children(jobs, name), "end of its children", seconds=20)


def test_a_job_can_be_deleted_while_the_operator_is_away(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    assert "finalizers" not in jobs.get(name)["metadata"]
    operator.kill()
    jobs.bed.kubectl(
        "delete", f"gtj/{name}", "-n", jobs.namespace, "--timeout=10s", "--cascade=foreground"
    )
    wait_for(lambda: not children(jobs, name), "end of its children", seconds=20)


def test_a_job_of_the_same_name_begins_anew(jobs, operator):
    body = job()
    name = jobs.create(body)
    jobs.wait_ready(name, 3)
    jobs.bed.kubectl("delete", f"gtj/{name}", "-n", jobs.namespace, "--timeout=10s")
    jobs.create(body)
    jobs.wait_ready(name, 3)
    assert {member_of(pod).incarnation for pod in jobs.live(name).values()} == {0}


def test_a_namespace_with_jobs_can_be_deleted_while_no_operator_is_there(control_plane, definition):
    namespace = "short-lived"
    control_plane.kubectl("create", "namespace", namespace)
    jobs = Jobs(control_plane, namespace)
    jobs.create(job())
    control_plane.kubectl("delete", "namespace", namespace, "--timeout=40s")
    assert not control_plane.api.exists(f"/api/v1/namespaces/{namespace}")


def test_every_condition_names_the_present_generation(jobs, operator):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    generation = jobs.change(name, {"workers": {"replicas": 4}})["metadata"]["generation"]
    found = jobs.wait(
        name, lambda job: job["status"]["observedGeneration"] == generation, "generation"
    )
    assert {c["observedGeneration"] for c in conditions(found).values()} == {generation}
