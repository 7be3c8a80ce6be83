"""Jobs as the API server keeps them."""

import copy
import json

import pytest

from gossip_api.errors import InvalidJob
from gossip_api.objects import job_from_object, status_from_object, status_to_object
from gossip_api.status import JobStatus

JOB = {
    "apiVersion": "gossip.training/v1alpha1",
    "kind": "GossipTrainingJob",
    "metadata": {
        "name": "a",
        "namespace": "n",
        "uid": "1-2",
        "generation": 3,
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "managedFields": [{}],
        "labels": {"kueue.x-k8s.io/queue-name": "team-a"},
    },
    "spec": {
        "strategy": {"type": "Gossip"},
        "workers": {"replicas": 3},
        "training": {
            "model": {"name": "mlp"},
            "data": {"name": "digits"},
            "optimizer": {"name": "sgd", "learningRate": 1},
            "budget": {"epochs": 3},
        },
    },
    "status": {"whatever": [1]},
}
CONDITION = {
    "type": "Progressing",
    "status": "True",
    "reason": "Training",
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}
OTHER = CONDITION | {"type": "Degraded", "status": "False", "reason": "AllReady"}


def test_a_job_is_read_with_its_identity_and_without_its_status():
    job = job_from_object(JOB)
    assert (job.metadata.name, job.metadata.namespace, job.metadata.uid) == ("a", "n", "1-2")
    assert job.metadata.labels == {"kueue.x-k8s.io/queue-name": "team-a"}
    assert job.spec.workers.replicas == 3


def test_all_that_is_wrong_with_a_job_is_said_with_place_value_and_what_is_allowed():
    raw = copy.deepcopy(JOB)
    raw["spec"]["workers"]["replicas"] = 0
    raw["spec"]["training"]["budgett"] = raw["spec"]["training"].pop("budget")
    with pytest.raises(InvalidJob) as caught:
        job_from_object(raw)
    found = str(caught.value).splitlines()
    assert "the job: spec.workers.replicas: got 0; must be at least 1" in found[0]
    assert len(found) == 3
    assert any("budgett: unknown key (did you mean budget?)" in line for line in found)


@pytest.mark.parametrize("raw", [None, {}, "odd", [], 3])
def test_no_status_is_an_empty_one(raw):
    assert status_from_object(raw) == JobStatus()


def test_what_another_operator_wrote_and_this_one_cannot_read_is_left_out():
    raw = {
        "state": "Odd",
        "invented": {"a": 1},
        "restarts": 2,
        "workers": 3,
        "progress": {"step": 5, "percent": 101, "invented": 1},
        "conditions": [CONDITION, {"type": "Odd", "status": 1}, OTHER | {"reason": "Odd"}, OTHER],
        "failures": [{}, {}],
        "stop": {"reason": "budget"},
    }
    before = copy.deepcopy(raw)
    assert status_to_object(status_from_object(raw)) == {
        "restarts": 2,
        "progress": {"step": 5},
        "conditions": [CONDITION, OTHER],
    }
    assert raw == before


def test_a_status_is_written_without_what_is_not_known():
    assert status_to_object(JobStatus()) == {}


def test_a_status_survives_the_api_server():
    raw = {
        "observedGeneration": 3,
        "state": "Running",
        "finished": False,
        "conditions": [CONDITION | {"observedGeneration": 3, "message": "7 of 8 train"}],
        "startTime": "2026-01-02T03:04:05.678901Z",
        "stop": {"reason": "target", "by": "evaluator-0-0"},
        "result": {"loss": "0.1", "step": 5, "epoch": "2.5"},
        "workers": {"desired": 8, "active": 8, "ready": 0},
        "restarts": 0,
        "launched": {"workers": 8, "evaluators": 1},
        "ledger": [{"role": "worker", "index": 3, "failedAt": "2026-01-02T03:04:05Z"}],
    }
    status = status_from_object(raw)
    written = status_to_object(status)
    assert written == raw
    assert "null" not in json.dumps(written)
    assert status_from_object(written) == status
