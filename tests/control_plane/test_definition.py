"""What the definition makes of kubectl and the API server: columns, scaling, what may change."""

import copy

import pytest
from cluster_jobs import job
from testbed.errors import ApiError, BedError

from gossip_api.job import FIXED
from gossip_api.objects import status_from_object, status_to_object

pytestmark = pytest.mark.control_plane

TEMPLATE = {"spec": {"nodeSelector": {"a": "b"}}}
OTHERWISE = {
    "strategy": {"strategy": {"elasticAveraging": {"period": 2}}},
    "workers.template": {"workers": {"template": TEMPLATE}},
    "workers.devicesPerWorker": {"workers": {"devicesPerWorker": 2}},
    "server": {"server": {"shards": 2}},
    "training": {"training": {"model": {"args": {"hidden": [16, 16]}}}},
    "checkpoint": {"checkpoint": {"storage": {"claimName": "models"}}},
    "evaluation": {"evaluation": {"every": "5s"}},
    "evaluator": {"evaluator": {"template": TEMPLATE}},
    "discovery": {"discovery": {"port": 29500}},
    "security": {"security": {"mutualTLS": False}},
    "monitoring.metricsPort": {"monitoring": {"metricsPort": 9500}},
}
assert set(OTHERWISE) == set(FIXED)
FREE = {
    "the number of workers": {"workers": {"replicas": 5, "minReplicas": 2, "maxReplicas": 9}},
    "deadlines": {"runPolicy": {"activeDeadline": "1h", "cleanPods": "All"}},
    "who may scrape": {"monitoring": {"podMonitor": "Never", "scrapeFrom": {"podSelector": {}}}},
    "what only the simulator reads": {"simulation": {"computeSeconds": {"mean": 1}}},
}
STATUS = {
    "observedGeneration": 1,
    "state": "Running",
    "finished": False,
    "conditions": [
        {
            "type": "Progressing",
            "status": "True",
            "reason": "Training",
            "message": "workers train",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
            "observedGeneration": 1,
        }
    ],
    "startTime": "2026-01-02T03:04:05.123456Z",
    "workers": {
        "desired": 3,
        "active": 3,
        "ready": 2,
        "display": "2/3",
        "selector": "gossip.training/job-name=job,gossip.training/role=worker",
    },
    "progress": {
        "step": 41200,
        "epoch": "12.4",
        "loss": "0.2347",
        "accuracy": "0.61",
        "consensusDistance": "0.0031",
        "etaSeconds": 5120,
    },
    "restarts": 3,
    "failures": [
        {
            "role": "worker",
            "index": 2,
            "reason": "OOMKilled",
            "exitCode": 137,
            "time": "2026-01-02T03:04:05Z",
        }
    ],
    "launched": {"workers": 3, "servers": 2, "evaluators": 1},
    "ledger": [{"role": "worker", "index": 2, "incarnation": 1, "failures": 1}],
}


@pytest.fixture
def served(jobs):
    """A job with servers, with nobody to act upon it."""
    return jobs.create(job(strategy={"type": "ElasticAveraging"}, server={"shards": 1}))


@pytest.mark.parametrize("field", OTHERWISE)
def test_what_pods_read_only_once_changes_only_while_the_job_is_suspended(jobs, served, field):
    with pytest.raises(ApiError, match=rf"spec\.{field}: .* may change only while") as caught:
        jobs.change(served, OTHERWISE[field])
    assert caught.value.status == 422
    jobs.change(served, OTHERWISE[field] | {"suspend": True})
    with pytest.raises(ApiError, match="may change only while"):
        jobs.change(served, {field.split(".")[0]: original(field), "suspend": False})
    assert jobs.change(served, {"suspend": False})["spec"]["suspend"] is False


def original(field):
    """What makes the part of the job again what it was."""
    first = {
        "strategy": {"elasticAveraging": None},
        "workers.template": {"template": None},
        "workers.devicesPerWorker": {"devicesPerWorker": 1},
        "server": {"shards": 1},
        "training": {"model": {"args": {"hidden": [16]}}},
        "checkpoint": None,
        "evaluation": {"every": "60s"},
        "evaluator": {"template": None},
        "discovery": {"port": 29400},
        "security": {"mutualTLS": True},
        "monitoring.metricsPort": {"metricsPort": 9400},
    }
    return first[field]


@pytest.mark.parametrize("change", FREE.values(), ids=FREE)
def test_the_rest_may_change_at_any_time(jobs, served, change):
    jobs.change(served, change)


def test_a_template_is_kept_as_it_is_written_and_compared_in_depth(jobs):
    template = {
        "metadata": {"labels": {"team": "a"}},
        "spec": {
            "containers": [
                {"name": "trainer", "image": "i", "resources": {"limits": {"nvidia.com/gpu": 1}}}
            ],
            "volumes": [{"name": "v", "emptyDir": {}}],
        },
    }
    name = jobs.create(job(workers={"template": template}))
    assert jobs.get(name)["spec"]["workers"]["template"] == template
    jobs.change(name, {"workers": {"template": template}})
    other = copy.deepcopy(template)
    other["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = 2
    with pytest.raises(ApiError, match="may change only while"):
        jobs.change(name, {"workers": {"template": other}})


@pytest.fixture
def told(jobs, served):
    """A job whose status is written."""
    path = f"{jobs.path}/{served}"
    whole = {
        "apiVersion": "gossip.training/v1alpha1",
        "kind": "GossipTrainingJob",
        "metadata": {"name": served},
        "status": status_to_object(status_from_object(STATUS)),
    }

    def tell():
        return jobs.bed.api.apply(f"{path}/status", whole, manager="gossip-operator")

    return tell


def test_a_status_comes_back_as_it_was_written_and_once_more_changes_nothing(told):
    first = told()
    assert first["status"] == STATUS
    assert status_to_object(status_from_object(first["status"])) == STATUS
    assert told()["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_status_does_not_count_as_a_change_of_the_job(jobs, served, told):
    before = jobs.get(served)["metadata"]["generation"]
    assert told()["metadata"]["generation"] == before


def test_people_see_in_columns_how_a_job_stands(control_plane, simulated_namespace, served, told):
    told()
    header, row = control_plane.kubectl(
        "get", "gtj", "-n", simulated_namespace, "-o", "wide"
    ).splitlines()
    assert header.split() == [
        "NAME", "STRATEGY", "STATE", "READY", "STEP", "LOSS", "ACCURACY", "AGE",
        "CONSENSUS", "ETA", "RESTARTS", "MODEL", "MESSAGE",
    ]  # fmt: skip
    name, *cells = row.split(maxsplit=11)
    assert name == served
    assert cells[:6] == ["ElasticAveraging", "Running", "2/3", "41200", "0.2347", "0.61"]
    assert cells[7:] == ["0.0031", "5120", "3", "workers train"]
    assert served in control_plane.kubectl("get", "training,all", "-n", simulated_namespace)


def test_kubectl_waits_for_conditions(control_plane, simulated_namespace, served, told):
    told()
    control_plane.kubectl(
        "wait", "--for=condition=Progressing", f"gtj/{served}", "-n", simulated_namespace,
        "--timeout=5s",
    )  # fmt: skip


def test_kubectl_explains_fields(control_plane, definition):
    control_plane.kubectl("get", "gtj", "-A")  # which looks for new kinds; `explain` does not
    text = control_plane.kubectl("explain", "gtj.spec.workers.template.spec.containers")
    assert "the one that trains is called `trainer`" in " ".join(text.split())


def test_the_number_of_workers_is_scaled_within_its_limits(
    jobs, control_plane, simulated_namespace, served, told
):
    jobs.change(served, {"workers": {"minReplicas": 2, "maxReplicas": 4}})
    told()

    def scale(replicas):
        control_plane.kubectl(
            "scale", f"gtj/{served}", f"--replicas={replicas}", "-n", simulated_namespace
        )

    scale(4)
    found = jobs.bed.api.get(f"{jobs.path}/{served}/scale")
    assert found["spec"]["replicas"] == jobs.get(served)["spec"]["workers"]["replicas"] == 4
    assert found["status"]["replicas"] == 3
    assert found["status"]["selector"] == STATUS["workers"]["selector"]
    with pytest.raises(BedError, match="must not be smaller than replicas"):
        scale(5)
    with pytest.raises(BedError, match="must not be larger than replicas"):
        scale(1)
