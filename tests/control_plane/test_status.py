"""What a job says about itself: progress, columns, conditions, events."""

import time
from datetime import datetime

import pytest
from cluster_jobs import conditions, job
from status_stubs import status_stubs, worker
from testbed.waiting import wait_for

from gossip_api.process import LastWords, Stop

pytestmark = pytest.mark.control_plane


@pytest.fixture
def stubs(jobs):
    with status_stubs(jobs) as made:
        yield made


def progress(jobs, name):
    return jobs.get(name)["status"].get("progress", {})


def test_progress_is_what_the_processes_say(jobs, operator, stubs):
    name = jobs.create(job(replicas=3))
    jobs.wait_ready(name, 3)
    stubs.serve_job(name, step=120)

    found = wait_for(lambda: (p := progress(jobs, name)).get("accuracy") and p, "progress")

    assert found["step"] == 120
    assert (found["loss"], found["accuracy"]) == ("0.5", "0.75")
    assert found["consensusDistance"] == "0.01"
    assert found["percent"] == 25
    assert float(found["samplesPerSecond"]) == pytest.approx(300)
    job_now = jobs.wait_condition(name, "Progressing", reason="Training") and jobs.get(name)
    assert job_now["status"]["state"] == "Running"
    assert datetime.fromisoformat(job_now["status"]["beganTime"])


def test_progress_is_written_at_most_every_ten_seconds(jobs, operator, stubs):
    name = jobs.create(job(replicas=2))
    jobs.wait_ready(name, 2)
    stubs.serve_job(name, step=1)
    wait_for(lambda: progress(jobs, name).get("step"), "progress")
    versions = set()
    end = time.monotonic() + 20
    step = 1
    while time.monotonic() < end:
        step += 1
        for pod in jobs.live(name).values():
            stubs.statuses[pod["metadata"]["name"]] = worker(pod, step)
        versions.add(jobs.get(name)["metadata"]["resourceVersion"])
        time.sleep(0.5)
    assert 2 <= len(versions) <= 4  # the one at the start, and one in ten seconds


def test_only_a_few_workers_are_asked_at_a_time(jobs, operator, stubs):
    name = jobs.create(job(replicas=20))
    jobs.wait_ready(name, 20)
    stubs.serve_job(name, step=5)
    wait_for(lambda: progress(jobs, name).get("step"), "progress")
    stubs.requests.clear()
    began = time.monotonic()
    time.sleep(4.0)
    asked, seconds = len(stubs.requests), time.monotonic() - began
    assert 0 < asked <= 8 * (seconds // 2 + 1)  # eight at a time, every two seconds at first


def test_losing_a_worker_in_mid_run_is_degraded_and_recovers(jobs, operator, stubs):
    name = jobs.create(job(replicas=3))
    jobs.wait_ready(name, 3)
    stubs.serve_job(name, step=50)
    jobs.wait_condition(name, "Progressing", reason="Training")
    pod = jobs.live(name)[0]
    path = f"{jobs.pods_path}/{pod['metadata']['name']}/status"
    unready = [
        c | {"status": "False"} if c["type"] in {"Ready", "ContainersReady"} else c
        for c in pod["status"]["conditions"]
    ]
    jobs.bed.api.patch(path, {"status": {"conditions": unready}})

    degraded = jobs.wait_condition(name, "Degraded", reason="BelowDesired")

    assert "2 of 3" in degraded["message"]
    assert jobs.get(name)["status"]["state"] == "Degraded"
    assert jobs.live(name)[0]["metadata"]["uid"] == pod["metadata"]["uid"]
    jobs.bed.api.patch(path, {"status": {"conditions": pod["status"]["conditions"]}})
    jobs.wait_condition(name, "Degraded", "False")
    assert jobs.get(name)["status"]["state"] == "Running"


def test_the_columns_of_kubectl_get(jobs, operator, stubs):
    name = jobs.create(job(replicas=2))
    jobs.wait_ready(name, 2)
    stubs.serve_job(name, step=7)
    wait_for(lambda: progress(jobs, name).get("accuracy"), "progress")
    header, row = jobs.bed.kubectl("get", "gtj", name, "-n", jobs.namespace).splitlines()
    assert header.split() == [
        "NAME",
        "STRATEGY",
        "STATE",
        "READY",
        "STEP",
        "LOSS",
        "ACCURACY",
        "AGE",
    ]
    assert row.split()[:-1] == [name, "Gossip", "Running", "2/2", "7", "0.5", "0.75"]
    wide = jobs.bed.kubectl("get", "gtj", name, "-o", "wide", "-n", jobs.namespace)
    assert {"CONSENSUS", "ETA", "RESTARTS", "MESSAGE"} <= set(wide.splitlines()[0].split())
    assert name in jobs.bed.kubectl("get", "training", "-n", jobs.namespace)


def test_every_transition_is_told_once_as_an_event(jobs, operator, stubs):
    name = jobs.create(job(replicas=2))
    jobs.wait_ready(name, 2)
    stubs.serve_job(name, step=7)
    jobs.wait_condition(name, "Progressing", reason="Training")
    time.sleep(3)
    jobs.delete_pod(jobs.live(name)[1])
    wait_for(lambda: 1 in jobs.live(name), "replacement")
    jobs.wait_ready(name, 2)
    jobs.finish(name)
    jobs.wait_condition(name, "Complete")

    wait_for(lambda: "Completed" in [e["reason"] for e in jobs.events(name)], "events")

    events = {event["reason"]: event for event in jobs.events(name)}
    assert len(events) == len(jobs.events(name))
    assert {"Started", "WorkerReplaced", "Completed"} <= set(events)
    assert (
        f"{name}-worker-1-1 takes the place of {name}-worker-1-0"
        in events["WorkerReplaced"]["note"]
    )
    assert events["Completed"]["type"] == "Normal"
    described = jobs.bed.kubectl("describe", "gtj", name, "-n", jobs.namespace)
    assert "WorkerReplaced" in described


def test_what_a_user_must_know_of_a_failure_is_in_one_place(jobs, operator):
    name = jobs.create(job(replicas=2))
    jobs.wait_ready(name, 2)
    reason = "spec.training.data: no such file"
    jobs.end(jobs.live(name)[0], 64, LastWords(reason=reason))
    failed = jobs.wait_condition(name, "Failed", reason="UserError")
    assert failed["message"] == f"worker-0-0: {reason}"
    (event,) = wait_for(
        lambda: [e for e in jobs.events(name) if e["reason"] == "Failed"], "the event", seconds=10
    )
    assert event["type"] == "Warning"
    assert reason in event["note"]
    assert conditions(jobs.get(name))["Complete"]["status"] == "False"


def test_the_operator_learns_of_the_end_from_processes_that_still_live(jobs, operator, stubs):
    name = jobs.create(job(replicas=2))
    jobs.wait_ready(name, 2)
    stubs.serve_job(name, step=9, stop=Stop(reason="target", by="evaluator-0-0"))
    jobs.wait_condition(name, "Progressing", reason="Finishing")
    assert jobs.get(name)["status"]["stop"] == {"reason": "target", "by": "evaluator-0-0"}
