"""What the chart's values do, and that it refuses those it does not know."""

import argparse
import json
from pathlib import Path

import pytest
import yaml
from charts import CHART, CI, RELEASE, VALUES, HelmError, container, of_kind, render, the
from jsonschema import Draft202012Validator

from gossip_api.loading import parse_job
from gossip_operator import cli

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DIGEST = f"sha256:{'a' * 64}"


def settings(container):
    """Read a container's arguments as the operator does."""
    parser = argparse.ArgumentParser()
    cli._add_run(parser, {})
    return parser.parse_args(container["args"])


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_schema_accepts_the_values_that_are_meant(values):
    Draft202012Validator(SCHEMA).validate(yaml.safe_load(values.read_text()))


def test_no_mapping_of_ours_takes_a_name_that_it_does_not_know():
    def mappings(schema):
        if "properties" in schema:
            yield schema
        for part in [*schema.get("properties", {}).values(), schema.get("items")]:
            yield from mappings(part) if part else ()

    found = list(mappings(SCHEMA))
    assert len(found) > 10
    assert {mapping["additionalProperties"] for mapping in found} == {False}


@pytest.mark.parametrize(
    "wrong",
    [
        "replica=2",
        "image.tags=1",
        "metrics.serviceMonitor.enable=true",
        "replicas=two",
        "replicas=-1",
        "image.pullPolicy=Sometimes",
        "image.digest=abc",
        "image.repository=",
        "watchNamespaces={Not_A_Name}",
        "watchNamespaces={a,a}",
        "operator.logLevel=loud",
        "operator.qps=0",
        "operator.reconcilers=0",
        "networkPolicy.apiServerPorts={70000}",
        "imagePullSecrets[0].nam=x",
        "podDisruptionBudget.maxUnavailable=half",
        "metrics.serviceMonitor.interval=often",
        "helmTest.timeout=0s",
        "fullnameOverride=9",
        "crds.enabled=maybe",
    ],
)
def test_a_wrong_name_or_value_is_refused_before_anything_is_installed(wrong):
    with pytest.raises(HelmError, match="values don't meet the specifications of the schema"):
        render("--set", wrong)


def test_the_schema_accepts_the_values_that_the_guide_shows():
    guide = Path("docs/installation.md").read_text()
    shown = [part.split("```")[0] for part in guide.split("```yaml\n")[1:]]
    assert len(shown) >= 4
    for text in shown:
        Draft202012Validator(SCHEMA).validate(yaml.safe_load(text))


def test_values_of_a_parent_chart_are_tolerated():
    assert render("--set", "global.storageClass=fast") == render()


def test_the_operator_understands_every_argument():
    found = settings(container(values=CI / "everything-values.yaml", name="gossip"))

    assert found.namespaces == "team-a"
    assert found.default_image == "gossip-trainer:0.1.0-cpu"
    assert (found.reconcilers, found.qps, found.burst) == (4, 12.5, 1_000_000)
    assert (found.relist_seconds, found.log_level) == (60.0, "DEBUG")
    assert found.lease_name == "gossip"
    assert found.leader_election


def test_the_arguments_are_the_operators_own_defaults_unless_values_differ():
    given, default = settings(container()), settings({"args": []})
    own = {"default_image": "gossip-trainer:0.1.0-cpu", "lease_name": RELEASE}

    assert vars(given) == vars(default) | own


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "gossip-operator:0.1.0"),
        (("imageRegistry=registry.example:5000",), "registry.example:5000/gossip-operator:0.1.0"),
        (("imageRegistry=a.example/x/",), "a.example/x/gossip-operator:0.1.0"),
        (
            ("imageRegistry=a.example", "image.registry=b.example"),
            "b.example/gossip-operator:0.1.0",
        ),
        (("image.repository=team/op", "image.tag=edge"), "team/op:edge"),
        ((f"image.digest={DIGEST}",), f"gossip-operator:0.1.0@{DIGEST}"),
    ],
)
def test_the_image_is_put_together_of_registry_repository_tag_and_digest(options, expected):
    sets = [part for option in options for part in ("--set", option)]
    assert container(*sets)["image"] == expected


def test_the_trainers_image_follows_the_same_rules():
    found = settings(container(values=CI / "offline-values.yaml"))
    assert found.default_image == "registry.example/ml/gossip-trainer:0.1.0-cuda"

    assert settings(container("--set", "trainerImage.repository=")).default_image is None


@pytest.mark.parametrize("keep", [True, False])
def test_the_definition_is_that_of_the_manifests_kept_or_not(keep):
    found = the(
        render("--set", f"crds.keep={str(keep).lower()}"),
        "CustomResourceDefinition",
        "gossiptrainingjobs.gossip.training",
    )
    expected = yaml.safe_load(Path("manifests/crd/gossiptrainingjobs.yaml").read_text())

    assert found["spec"] == expected["spec"]
    annotations = {"helm.sh/resource-policy": "keep"} if keep else {}
    assert found["metadata"].get("annotations", {}) == annotations


def test_the_definition_can_be_left_to_others():
    assert of_kind(render("--set", "crds.enabled=false"), "CustomResourceDefinition") == []


def test_extra_objects_may_use_the_charts_templates():
    objects = render(values=CI / "everything-values.yaml")
    names = {one["metadata"]["name"] for one in of_kind(objects, "ConfigMap")}
    assert {f"{RELEASE}-note", "gossip-text"} <= names


def test_the_job_that_the_test_submits_is_valid_and_ends_by_itself():
    for values in (None, CI / "offline-values.yaml"):
        text = the(render(values=values), "ConfigMap", f"{RELEASE}-test")["data"]["job.yaml"]
        spec = parse_job(text, source="job.yaml").spec
        assert spec.run_policy.active_deadline is not None
        assert spec.run_policy.ttl_after_finished is not None
