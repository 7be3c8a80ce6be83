"""Where the members of a job find its checkpoints."""

import pytest
from manifest_jobs import UID, environment_of, job, pod_of, templated, trainer_of, trainer_template

from gossip_api.names import Role
from gossip_operator.manifests.checkpoints import lies_at

FOLDER = "/var/gossip-checkpoints"
CLAIM = {"storage": {"claimName": "models"}}
BUCKET = {"storage": {"url": "s3://bucket/runs"}}
SERVED = {"strategy": {"type": "ElasticAveraging"}}


def told(role=Role.WORKER, **checkpoint):
    return environment_of(pod_of(job(checkpoint=checkpoint, **SERVED), role)).get(
        "GOSSIP_CHECKPOINTS"
    )


def claims(pod):
    """Map the claims that are mounted into the pod to where they are mounted, all writable."""
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    found = {}
    for mount in trainer_of(pod)["volumeMounts"]:
        if claim := volumes[mount["name"]].get("persistentVolumeClaim"):
            assert "readOnly" not in mount
            found[claim["claimName"]] = mount["mountPath"]
    return found


@pytest.mark.parametrize("role", Role)
def test_without_checkpoints_a_pod_has_no_claim_and_is_told_of_none(role):
    pod = pod_of(job(**SERVED), role)
    assert claims(pod) == {}
    assert "GOSSIP_CHECKPOINTS" not in environment_of(pod)


@pytest.mark.parametrize("role", Role)
def test_a_claim_is_mounted_whole_into_every_pod(role):
    assert claims(pod_of(job(checkpoint=CLAIM, **SERVED), role)) == {"models": FOLDER}


@pytest.mark.parametrize("role", Role)
def test_every_job_has_a_folder_of_its_own_in_what_it_may_share(role):
    own = f"team.mnist.{UID}"
    assert told(role, **CLAIM) == f"{FOLDER}/{own}"
    assert told(role, **BUCKET) == f"s3://bucket/runs/{own}"
    assert told(role, storage={"url": "gs://bucket/"}) == f"gs://bucket/{own}"


def test_a_replacement_looks_where_its_predecessor_saved():
    of = job(checkpoint=CLAIM)
    first, next_one = pod_of(of, index=1), pod_of(of, index=1, incarnation=1, fresh=False)
    assert (
        environment_of(first)["GOSSIP_CHECKPOINTS"]
        == (environment_of(next_one)["GOSSIP_CHECKPOINTS"])
    )


def test_a_bucket_is_mounted_nowhere():
    assert claims(pod_of(job(checkpoint=BUCKET))) == {}


@pytest.mark.parametrize("storage", [CLAIM, BUCKET], ids=["claim", "bucket"])
def test_where_only_the_evaluator_saves_the_others_have_nothing_to_do_with_it(storage):
    of = job(checkpoint=storage | {"writers": "Evaluator"}, **SERVED)
    for role in (Role.WORKER, Role.SERVER):
        assert pod_of(of, role)["spec"]["volumes"] == pod_of(job(**SERVED), role)["spec"]["volumes"]
        assert "GOSSIP_CHECKPOINTS" not in environment_of(pod_of(of, role))
    assert "GOSSIP_CHECKPOINTS" in environment_of(pod_of(of, Role.EVALUATOR))


def test_the_claim_is_given_to_the_pods_group_without_going_through_all_of_it_each_time():
    security = pod_of(job(checkpoint=CLAIM))["spec"]["securityContext"]
    assert security["fsGroup"] == 65532
    assert security["fsGroupChangePolicy"] == "OnRootMismatch"
    assert "fsGroupChangePolicy" not in pod_of(job())["spec"]["securityContext"]


def test_a_group_that_the_user_names_is_the_claims():
    own = {"fsGroup": 1000, "fsGroupChangePolicy": "Always"}
    pod = pod_of(templated(trainer_template(securityContext=own), checkpoint=CLAIM))
    assert own.items() <= pod["spec"]["securityContext"].items()


def test_credentials_for_a_bucket_are_the_users_to_give():
    env = [{"name": "AWS_REGION", "value": "eu-central-1"}]
    template = trainer_template({"env": env}, serviceAccountName="reads-buckets")
    pod = pod_of(templated(template, checkpoint=BUCKET))
    assert environment_of(pod)["AWS_REGION"] == "eu-central-1"
    assert pod["spec"]["serviceAccountName"] == "reads-buckets"


@pytest.mark.parametrize(
    ("checkpoint", "where", "told"),
    [
        (CLAIM, f"{FOLDER}/a/final/model.safetensors", "pvc://models/a/final/model.safetensors"),
        (CLAIM, "/var/gossip/model.safetensors", "/var/gossip/model.safetensors"),
        (BUCKET, "s3://bucket/runs/a/model.safetensors", "s3://bucket/runs/a/model.safetensors"),
        (None, "/var/gossip/model.safetensors", "/var/gossip/model.safetensors"),
    ],
)
def test_what_lies_in_a_claim_is_named_by_the_claim(checkpoint, where, told):
    assert lies_at(job(checkpoint=checkpoint), where) == told
