from datetime import UTC, datetime

import pytest
from objects import CREATED, raw_job, raw_pod

from gossip_api.names import CONTAINER, Member, Role
from gossip_api.process import LastWords
from gossip_kubectl.views import event_views, job_view, process_view, process_views

SINCE = "2026-01-02T04:00:00Z"


def pod(index=0, *, phase="Running", state=None, conditions=(), restarts=0, **metadata):
    container = {"name": CONTAINER, "state": state or {}, "restartCount": restarts}
    sidecar = {"name": "proxy", "state": {"terminated": {"exitCode": 1}}, "restartCount": 9}
    status = {
        "phase": phase,
        "containerStatuses": [sidecar, container],
        "conditions": list(conditions),
    }
    return raw_pod(index, status=status, **metadata)


def ready(status):
    return {"type": "Ready", "status": status, "lastTransitionTime": SINCE}


def ended(code, message="", reason="Error"):
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "message": message,
            "finishedAt": SINCE,
        }
    }


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        (pod(phase="Pending"), "waiting"),
        (
            pod(
                phase="Pending",
                conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
            ),
            "waiting: Unschedulable",
        ),
        (
            pod(phase="Pending", state={"waiting": {"reason": "ImagePullBackOff"}}),
            "waiting: ImagePullBackOff",
        ),
        (pod(state={"running": {}}, conditions=[ready("False")]), "not ready"),
        (pod(state={"running": {}}, conditions=[ready("True")]), "ready"),
        (
            pod(state={"running": {}}, conditions=[ready("True")], deletionTimestamp=SINCE),
            "leaving",
        ),
        (pod(phase="Succeeded", state=ended(0)), "finished"),
        (pod(phase="Failed", state=ended(137, reason="OOMKilled")), "failed: OOMKilled"),
        (pod(phase="Failed", state=ended(3)), "failed: exit code 3"),
        (
            pod(phase="Failed", state=ended(64, LastWords(reason="no data").to_message())),
            "failed: no data",
        ),
        (raw_pod(status={"phase": "Failed", "reason": "Evicted"}), "failed: Evicted"),
    ],
)
def test_the_state_of_a_process_is_what_its_pod_says(raw, state):
    assert process_view(raw).state == state


def test_a_process_is_its_training_container_and_no_sidecar():
    raw = pod(2, state={"running": {}}, conditions=[ready("True")], restarts=3)
    found = process_view(raw)
    assert found.member == Member(Role.WORKER, 2, 0)
    assert (found.restarts, found.node, found.pod) == (3, "node-1", "digits-worker-2-0")
    assert found.since == datetime(2026, 1, 2, 4, tzinfo=UTC)
    assert found.is_live


def test_a_process_leaves_since_it_was_told_to_and_not_when_its_time_will_be_up():
    raw = pod(deletionTimestamp="2026-01-02T04:00:30Z", deletionGracePeriodSeconds=30)
    assert process_view(raw).since == datetime.fromisoformat(SINCE)


def test_a_process_that_has_ended_tells_its_last_step():
    words = LastWords(step=120, finished=True).to_message()
    found = process_view(pod(phase="Succeeded", state=ended(0, words)))
    assert found.step == 120
    assert not found.is_live


def test_a_pod_of_nobody_is_no_process():
    assert process_view(raw_pod(labels={})) is None
    assert process_view(raw_pod(labels={"gossip.training/job-name": "other"})) is None


def named(name, phase="Running"):
    return raw_pod(status={"phase": phase}) | {
        "metadata": {"name": name, "labels": {"gossip.training/job-name": "digits"}}
    }


def test_processes_come_in_order_and_without_bygone_incarnations():
    pods = [
        named("digits-evaluator-0-0"),
        named("digits-worker-10-0"),
        named("digits-worker-2-1"),
        named("digits-worker-2-0", "Failed"),
        named("digits-server-0-0"),
        named("digits-worker-1-3", "Failed"),
    ]
    names = [process.member.name for process in process_views(pods)]
    assert names == ["worker-1-3", "worker-2-1", "worker-10-0", "server-0-0", "evaluator-0-0"]


def test_two_incarnations_that_both_live_are_both_shown():
    pods = [named("digits-worker-0-0"), named("digits-worker-0-1")]
    assert [p.member.incarnation for p in process_views(pods)] == [0, 1]


def condition(kind, status, generation=1):
    return {
        "type": kind,
        "status": status,
        "reason": "Training",
        "lastTransitionTime": CREATED,
        "observedGeneration": generation,
    }


def test_a_condition_of_an_older_generation_does_not_hold():
    raw = raw_job(generation=2) | {"status": {"conditions": [condition("WorkersReady", "True")]}}
    assert not job_view(raw).holds("WorkersReady")
    raw["metadata"]["generation"] = 1
    assert job_view(raw).holds("WorkersReady")


@pytest.mark.parametrize("status", [None, {}, {"state": "NoSuchState", "conditions": [{}]}])
def test_a_job_of_another_version_can_be_looked_at(status):
    job = job_view(raw_job() | {"status": status})
    assert job.status.state is None
    assert not job.is_over


def test_events_come_in_order_of_their_last_time():
    def event(note, **times):
        return {"metadata": {}, "type": "Warning", "reason": "Stalled", "note": note, **times}

    found = event_views(
        [
            event("c", series={"lastObservedTime": "2026-01-02T03:00:03Z"}, eventTime=CREATED),
            event("b", eventTime="2026-01-02T03:00:02.000001Z"),
            event("a", eventTime=None, deprecatedLastTimestamp="2026-01-02T03:00:01Z"),
        ]
    )
    assert [one.text for one in found] == ["a", "b", "c"]
    assert all(one.is_warning for one in found)
