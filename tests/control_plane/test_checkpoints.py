"""The claim that a job's checkpoints go to: looked at first, mounted, and found again."""

import pytest
from claims import drop_volumes, make_claim
from cluster_jobs import job
from testbed.waiting import wait_for

from gossip_api.names import Role
from gossip_api.process import LastWords, Score, Stop

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(120)]

CLAIM = {"storage": {"claimName": "models"}}
FOLDER = "/var/gossip-checkpoints"


@pytest.fixture
def claim(jobs):
    """Make a claim of that access mode in the test's namespace."""

    def claim(mode):
        make_claim(jobs.bed, jobs.namespace, "models", mode)

    yield claim
    drop_volumes(jobs.bed, jobs.namespace)


def claims_of(pod):
    volumes = (volume.get("persistentVolumeClaim") for volume in pod["spec"]["volumes"])
    return [volume["claimName"] for volume in volumes if volume]


def told(pod, variable):
    (container,) = pod["spec"]["containers"]
    return {each["name"]: each.get("value") for each in container["env"]}.get(variable)


def conclude(jobs, name):
    """End the job well, its model saved."""
    stop = Stop(reason="budget", by="worker-0-0")
    done = LastWords(step=100, finished=True, released=True, stop=stop)
    evaluator = jobs.live(name, Role.EVALUATOR)[0]
    model = f"{told(evaluator, 'GOSSIP_CHECKPOINTS')}/final/model.safetensors"
    for pod in jobs.live(name).values():
        jobs.end(pod, 0, done)
    jobs.end(evaluator, 0, done.model_copy(update={"result": Score(loss=0.25), "model": model}))


def test_a_job_waits_for_its_claim_finds_its_folder_again_and_tells_where_its_model_lies(
    jobs, operator, claim
):
    name = jobs.create(job(replicas=2, checkpoint=CLAIM))
    missing = jobs.wait_condition(name, "Accepted", "False", "ClaimNotFound")
    assert (
        f"PersistentVolumeClaim models: it is not in namespace {jobs.namespace}"
        in (missing["message"])
    )
    assert jobs.pods(name) == []

    claim("ReadWriteMany")

    jobs.wait_ready(name, 2)
    jobs.wait_condition(name, "Accepted", "True")
    uid = jobs.get(name)["metadata"]["uid"]
    root = f"{FOLDER}/{jobs.namespace}.{name}.{uid}"
    pods = jobs.pods(name)
    assert len(pods) == 3
    assert {told(pod, "GOSSIP_CHECKPOINTS") for pod in pods} == {root}
    assert all(claims_of(pod) == ["models"] for pod in pods)

    jobs.change(name, {"suspend": True})
    rests = jobs.wait_condition(name, "Suspended", "True", "Suspended")
    assert "goes on from its checkpoints" in rests["message"]
    jobs.change(name, {"suspend": False})
    jobs.wait_ready(name, 2)
    resumed = jobs.live(name)[0]
    assert told(resumed, "GOSSIP_CHECKPOINTS") == root
    assert told(resumed, "GOSSIP_FRESH") == "1"

    conclude(jobs, name)
    jobs.wait_condition(name, "Complete")
    model = f"pvc://models/{jobs.namespace}.{name}.{uid}/final/model.safetensors"
    assert jobs.get(name)["status"]["result"]["model"] == model


def test_a_claim_for_one_node_is_refused_unless_only_the_evaluator_saves(jobs, operator, claim):
    claim("ReadWriteOnce")
    name = jobs.create(job(replicas=2, checkpoint=CLAIM))
    refused = jobs.wait_condition(name, "Accepted", "False", "ClaimNotShared")
    assert "its access modes are ReadWriteOnce; must have ReadWriteMany" in refused["message"]
    events = wait_for(lambda: jobs.events(name), "an Event", seconds=10)
    assert [(event["type"], event["reason"]) for event in events] == [("Warning", "Refused")]
    assert jobs.pods(name) == []

    jobs.change(name, {"suspend": True, "checkpoint": {"writers": "Evaluator"}})
    jobs.change(name, {"suspend": False})

    jobs.wait_ready(name, 2)
    assert claims_of(jobs.live(name, Role.EVALUATOR)[0]) == ["models"]
    worker = jobs.live(name)[0]
    assert claims_of(worker) == []
    assert told(worker, "GOSSIP_CHECKPOINTS") is None
