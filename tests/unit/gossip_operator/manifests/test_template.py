"""Which template a role has."""

import pytest
from manifest_jobs import environment_of, job, pod_of, templated, trainer_of, trainer_template

from gossip_api.names import Role

GPU = {"limits": {"nvidia.com/gpu": 1, "cpu": "4", "memory": "8Gi"}}
WORKERS = trainer_template(
    {"resources": GPU},
    nodeSelector={"pool": "a100"},
    tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}],
    priorityClassName="high",
    imagePullSecrets=[{"name": "pull"}],
)
OTHERS = [Role.SERVER, Role.EVALUATOR]
SERVED = {"strategy": {"type": "ElasticAveraging"}}


def test_a_worker_has_the_workers_template():
    assert trainer_of(pod_of(templated(WORKERS)))["resources"] == GPU


@pytest.mark.parametrize("role", OTHERS)
def test_a_role_without_a_template_has_the_workers_less_their_devices(role):
    pod = pod_of(templated(WORKERS, **SERVED), role)
    assert trainer_of(pod)["resources"] == {"limits": {"cpu": "4", "memory": "8Gi"}}
    assert trainer_of(pod)["image"] == "images.example/train:1"
    for field in ("nodeSelector", "priorityClassName", "imagePullSecrets"):
        assert pod["spec"][field] == WORKERS["spec"][field]
    assert WORKERS["spec"]["tolerations"][0] in pod["spec"]["tolerations"]


@pytest.mark.parametrize(
    ("resource", "kept"),
    [
        ("nvidia.com/gpu", False),
        ("example.com/rdma", False),
        ("cpu", True),
        ("hugepages-2Mi", True),
        ("ephemeral-storage", True),
        ("example.kubernetes.io/native", True),
    ],
)
def test_devices_are_the_resources_with_a_domain_of_their_own(resource, kept):
    template = trainer_template({"resources": {"requests": {resource: 1}, "limits": {resource: 1}}})
    found = trainer_of(pod_of(templated(template), Role.EVALUATOR))["resources"]
    assert (resource in found["requests"], resource in found["limits"]) == (kept, kept)


def test_claims_of_devices_go_as_well():
    template = trainer_template(
        {"resources": {"claims": [{"name": "gpu"}]}},
        resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "a100"}],
    )
    pod = pod_of(templated(template), Role.EVALUATOR)
    assert "resourceClaims" not in pod["spec"]
    assert trainer_of(pod)["resources"] == {}
    assert "resourceClaims" in pod_of(templated(template))["spec"]


@pytest.mark.parametrize("role", OTHERS)
def test_a_training_script_takes_the_place_of_a_worker_and_of_nobody_else(role):
    fields = {"command": ["python", "train.py"], "args": ["--depth=3"], "workingDir": "/train"}
    of = templated(trainer_template(fields), **SERVED)
    worker, other = trainer_of(pod_of(of)), trainer_of(pod_of(of, role))
    assert (worker["command"], worker["args"]) == (["python", "train.py"], ["--depth=3"])
    assert other["command"] == ["python", "-m", "gossip_trainer.process"]
    assert "args" not in other
    # The script is where its model comes from, too.
    assert other["workingDir"] == "/train"
    assert other["image"] == worker["image"]


def test_a_template_of_its_own_has_a_command_of_its_own():
    own = {"spec": {"containers": [{"name": "trainer", "command": ["evaluate"]}]}}
    pod = pod_of(templated(WORKERS, evaluator={"template": own}), Role.EVALUATOR)
    assert trainer_of(pod)["command"] == ["evaluate"]


def test_a_role_whose_devices_were_taken_sees_none_that_its_image_asks_for():
    hidden = {Role.WORKER: None, Role.EVALUATOR: "void"}
    for role, value in hidden.items():
        environment = environment_of(pod_of(templated(WORKERS), role))
        assert environment.get("NVIDIA_VISIBLE_DEVICES") == value
    assert "NVIDIA_VISIBLE_DEVICES" not in environment_of(pod_of(job(), Role.EVALUATOR))


@pytest.mark.parametrize(
    ("role", "field"), [(Role.SERVER, "server"), (Role.EVALUATOR, "evaluator")]
)
def test_a_template_of_its_own_stands_alone_but_for_the_image(role, field):
    own = {"spec": {"containers": [{"name": "trainer", "resources": GPU}]}}
    pod = pod_of(templated(WORKERS, **SERVED, **{field: {"template": own}}), role)
    assert trainer_of(pod)["resources"] == GPU
    assert trainer_of(pod)["image"] == "images.example/train:1"
    assert "nodeSelector" not in pod["spec"]


def test_an_image_of_its_own_goes_before_the_workers():
    own = trainer_template({"image": "images.example/evaluate:2"})
    pod = pod_of(templated(WORKERS, evaluator={"template": own}), Role.EVALUATOR)
    assert trainer_of(pod)["image"] == "images.example/evaluate:2"


@pytest.mark.parametrize(
    "template", [{}, {"spec": {}}, {"spec": {"containers": [{"name": "trainer"}]}}]
)
def test_a_template_without_an_image_gets_the_operators_default(template):
    assert trainer_of(pod_of(templated(template)))["image"] == "default:1"


def test_without_any_image_there_is_none_for_the_api_server_to_refuse():
    assert "image" not in trainer_of(pod_of(job(), default_image=None))
