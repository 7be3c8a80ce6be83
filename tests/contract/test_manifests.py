"""The manifests among themselves, with the project's version, and with what the operator makes."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from gossip_operator.manifests.metadata import NAME_LABEL, OPERATOR_NAME
from gossip_operator.manifests.pod import USER
from gossip_packaging.prometheus_rules import PROMETHEUS_RULES, prometheus_rules

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
KUSTOMIZATIONS = sorted(MANIFESTS.rglob("kustomization.yaml"))


def named(path):
    return str(path.parent.relative_to(MANIFESTS))


def load(path):
    return yaml.safe_load((MANIFESTS / path).read_text())


@pytest.fixture(scope="module")
def operator_pod():
    return load("base/deployment.yaml")["spec"]["template"]


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=named)
def test_every_file_beside_a_kustomization_is_part_of_it(path):
    document = yaml.safe_load(path.read_text())
    parts = {*document.get("resources", ()), path.name}
    parts |= {patch["path"] for patch in document.get("patches", ())}
    generated = document.get("configMapGenerator", ())
    parts |= {file for generator in generated for file in generator.get("files", ())}
    beside = {*path.parent.glob("*.yaml"), *path.parent.glob("dashboards/*.json")}
    assert {str(file.relative_to(path.parent)) for file in beside} <= parts


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=named)
def test_a_kustomization_says_what_it_is_for(path):
    assert path.read_text().startswith("# ")


def test_the_images_and_labels_are_of_the_projects_version(operator_pod):
    (container,) = operator_pod["spec"]["containers"]
    assert container["image"] == f"gossip-operator:{VERSION}"
    (generator,) = load("base/kustomization.yaml")["configMapGenerator"]
    assert generator["literals"] == [
        f"GOSSIP_OPERATOR_DEFAULT_IMAGE=gossip-trainer:{VERSION}-cpu",
    ]
    for folder in ("base", "monitoring"):
        (labels,) = load(f"{folder}/kustomization.yaml")["labels"]
        assert labels["pairs"]["app.kubernetes.io/version"] == VERSION
    sample = load("samples/13-gpu.yaml")["spec"]["workers"]["template"]["spec"]["containers"][0]
    assert sample["image"] == f"gossip-trainer:{VERSION}-cuda"


def test_the_jobs_network_policies_admit_the_operators_pod_by_its_label(operator_pod):
    assert operator_pod["metadata"]["labels"][NAME_LABEL] == OPERATOR_NAME


def test_the_operator_runs_as_the_same_nobody_as_the_jobs_pods(operator_pod):
    security = operator_pod["spec"]["securityContext"]
    assert security["runAsUser"] == security["runAsGroup"] == USER
    assert security["runAsNonRoot"] is True


def test_the_rules_are_the_same_as_objects_of_the_prometheus_operator():
    text = (ROOT / PROMETHEUS_RULES).read_text()
    assert text == prometheus_rules(ROOT)
    objects = {
        each["metadata"]["name"].removeprefix("gossip-training-"): each["spec"]
        for each in yaml.safe_load_all(text)
    }
    files = (MANIFESTS / "monitoring/rules").glob("*.yaml")
    assert objects == {file.stem: yaml.safe_load(file.read_text()) for file in files}


def test_every_dashboard_is_a_config_map_that_grafanas_sidecar_looks_for():
    generators = load("monitoring/kustomization.yaml").get("configMapGenerator", ())
    for generator in generators:
        (file,) = generator["files"]
        assert generator["name"] == f"gossip-dashboard-{Path(file).stem}"
        assert generator["options"]["labels"] == {"grafana_dashboard": "1"}
        assert json.loads((MANIFESTS / "monitoring" / file).read_text())["uid"]
