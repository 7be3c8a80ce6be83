"""Jobs, and what the operator makes of them, for the tests of its manifests."""

import copy

import yaml

from gossip_api.job import GossipTrainingJob
from gossip_api.loading import parse_job
from gossip_api.names import Member, Role
from gossip_operator.manifests.children import children
from gossip_operator.manifests.metadata import owner_reference
from gossip_operator.manifests.pod import pod

UID = "0c9e6d5e-3b7f-4a51-9d6a-2f6f5f0a7b11"

_DOCUMENT = {
    "apiVersion": "gossip.training/v1alpha1",
    "kind": "GossipTrainingJob",
    "metadata": {"name": "mnist", "namespace": "team"},
    "spec": {
        "strategy": {"type": "Gossip"},
        "workers": {"replicas": 4, "minReplicas": 2},
        "training": {
            "model": {"name": "mlp"},
            "data": {"name": "digits"},
            "batchSize": 8,
            "optimizer": {"name": "sgd", "learningRate": 0.1},
            "budget": {"epochs": 1},
        },
    },
}


def job(name="mnist", *, labels=None, annotations=None, workers=None, **spec) -> GossipTrainingJob:
    """A small job; `workers` and `spec` are added to it, spelled as in documents."""
    document = copy.deepcopy(_DOCUMENT)
    document["metadata"] |= {
        "name": name,
        "labels": labels or {},
        "annotations": annotations or {},
    }
    document["spec"]["workers"] |= workers or {}
    document["spec"] |= spec
    return parse_job(yaml.safe_dump(document, sort_keys=False))


def templated(template, **more) -> GossipTrainingJob:
    """A small job whose workers have this template."""
    return job(workers={"template": template}, **more)


def trainer_template(container=None, **pod_spec):
    """A template whose container `trainer` has these fields, with an image, and pod fields."""
    trainer = {"name": "trainer", "image": "images.example/train:1"} | (container or {})
    return {"spec": {"containers": [trainer], **pod_spec}}


def pod_of(
    of, role=Role.WORKER, index=0, incarnation=0, *, fresh=True, default_image="default:1"
) -> dict:
    """The pod of a member of the job."""
    return pod(
        of,
        Member(role, index, incarnation),
        uid=UID,
        owner=owner_reference(of.metadata.name, UID),
        fresh=fresh,
        default_image=default_image,
    )


def trainer_of(manifest) -> dict:
    """The container `trainer` of a pod."""
    return next(each for each in manifest["spec"]["containers"] if each["name"] == "trainer")


def environment_of(manifest) -> dict:
    """The container's plain variables; a name that is given twice is an error."""
    variables = trainer_of(manifest)["env"]
    names = [variable["name"] for variable in variables]
    assert len(names) == len(set(names)), names
    return {each["name"]: each["value"] for each in variables if "value" in each}


def children_of(of, *, serves_pod_monitors=True) -> dict:
    """The job's other objects by kind."""
    owner = owner_reference(of.metadata.name, UID)
    found = children(of, uid=UID, owner=owner, serves_pod_monitors=serves_pod_monitors)
    return {child["kind"]: child for child in found}
