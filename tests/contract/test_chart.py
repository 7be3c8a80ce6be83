"""The Helm chart as a whole: its files are current, it lints, and what it renders is valid."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from charts import CHART, CI, CLUSTER_WIDE, VALUES, helm, is_hook, of_kind, render

from gossip_api.loading import parse_job
from gossip_packaging.chart import generated_files, stale_files

ROOT = Path()
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
OBJECT_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")

each_values = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


def test_what_is_generated_into_the_chart_is_current():
    expected = generated_files(ROOT)
    found = {path: path.read_text() for path in expected if path.exists()}

    assert found == expected, "run `python -m gossip_packaging`"
    assert stale_files(ROOT, expected) == [], "run `python -m gossip_packaging`"


def test_chart_and_package_have_one_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]

    assert chart["version"] == chart["appVersion"] == version


def test_the_example_for_artifact_hub_is_a_valid_job():
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    [example] = yaml.safe_load(annotations["artifacthub.io/crdsExamples"])
    assert parse_job(yaml.safe_dump(example), source="Chart.yaml").metadata.name == "digits"


@each_values
def test_the_linter_has_no_complaint(values):
    assert "[WARNING]" not in helm("lint", "--strict", CHART, "--values", values)


@each_values
def test_rendering_twice_gives_the_same(values):
    arguments = ("template", "x", CHART, "--namespace", "y", "--values", values)
    assert helm(*arguments) == helm(*arguments)


@each_values
def test_every_object_says_its_namespace_unless_it_belongs_to_none(values):
    for one in render(values=values):
        assert ("namespace" in one["metadata"]) != (one["kind"] in CLUSTER_WIDE), one["metadata"]


@each_values
def test_no_object_is_there_twice(values):
    names = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
        for one in render(values=values)
    ]
    assert len(names) == len(set(names))


@each_values
def test_every_object_of_ours_has_the_common_labels(values):
    own = [one for one in render(values=values) if "labels" in one["metadata"]]
    assert len(own) >= len(render(values=values)) - 2  # the extra objects are the user's
    for one in own:
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "gossip-operator"
        assert labels["app.kubernetes.io/part-of"] == "gossip-training"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"].startswith("gossip-training-")


@pytest.mark.parametrize(
    "release",
    ["gossip-training", "x" * 53, "1-begins-with-a-digit", f"9{'y' * 52}", "with.dots", "a"],
)
@pytest.mark.parametrize("namespace", ["n", "z" * 63])
def test_names_are_valid_at_their_longest(release, namespace):
    values = CI / "monitoring-values.yaml"
    objects = render("--set", "replicas=2", release=release, namespace=namespace, values=values)
    for one in objects:
        assert OBJECT_NAME.fullmatch(one["metadata"]["name"]), one["metadata"]["name"]
        for value in one["metadata"]["labels"].values():
            assert LABEL_VALUE.fullmatch(value), value
    for one in of_kind(objects, "Service"):
        assert SERVICE_NAME.fullmatch(one["metadata"]["name"])


def test_releases_in_two_namespaces_share_no_cluster_wide_object_but_the_definition():
    def names(release, namespace):
        objects = render(release=release, namespace=namespace)
        kinds = CLUSTER_WIDE - {"CustomResourceDefinition"}
        return {(o["kind"], o["metadata"]["name"]) for o in objects if o["kind"] in kinds}

    assert len(names("a", "b")) == 4
    assert not names("a", "b") & names("a", "c")
    assert not names("gossip-training-a", "b") & names("gossip-training", "a-b")


def test_nothing_but_the_test_is_a_hook():
    hooks = [one["metadata"]["annotations"]["helm.sh/hook"] for one in filter(is_hook, render())]
    assert set(hooks) == {"test"}
