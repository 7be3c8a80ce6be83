"""Values set from the command line."""

import pytest

from gossip_api.errors import InvalidJob
from gossip_api.overrides import apply_override
from gossip_api.yaml_tree import Mark, read_documents

DOCUMENT = """\
spec:
  training:
    batchSize: 32
    schedule: {milestones: [1, 2]}
"""


def changed(override):
    (document,) = read_documents(DOCUMENT, "f")
    return apply_override(document, override)


def training(override):
    return changed(override).root.plain()["spec"]["training"]


def test_a_value_is_replaced():
    assert training("spec.training.batchSize=64")["batchSize"] == 64


def test_spec_may_be_left_out():
    assert training("training.batchSize=64")["batchSize"] == 64


def test_other_parts_of_the_document_are_reached_by_their_names():
    assert changed("metadata.name=x").root.plain()["metadata"] == {"name": "x"}


def test_values_are_yaml():
    assert training("training.schedule={name: cosine, epochs: 1e1}")["schedule"] == {
        "name": "cosine",
        "epochs": 10,
    }
    assert training("training.model.name=a=b")["model"] == {"name": "a=b"}


def test_items_are_set_by_index():
    assert training("training.schedule.milestones.1=5")["schedule"] == {"milestones": [1, 5]}


@pytest.mark.parametrize("index", ["2", "-1", "x", "\u0661", "9" * 30])
def test_there_must_be_such_an_item(index):
    with pytest.raises(InvalidJob) as caught:
        changed(f"training.schedule.milestones.{index}=5")
    (problem,) = caught.value.problems
    assert problem.path == "spec.training.schedule.milestones"
    assert problem.message.endswith("the list has 2, counted from 0")


def test_null_takes_a_value_away_and_so_does_nothing():
    assert training("training.batchSize=null")["batchSize"] is None
    assert training("training.batchSize=")["batchSize"] is None


def test_missing_mappings_on_the_way_are_made():
    assert changed("evaluation.every=5s").root.plain()["spec"]["evaluation"] == {"every": "5s"}


def test_a_scalar_on_the_way_becomes_a_mapping():
    assert training("training.batchSize.x=1")["batchSize"] == {"x": 1}


def test_new_values_remember_the_option_and_others_their_line():
    root = changed("training.batchSize=64").root
    entries = root.value["spec"].node.value["training"].node.value
    assert entries["batchSize"].node.mark == Mark("--set training.batchSize=64")
    assert entries["schedule"].mark.line == 4


@pytest.mark.parametrize("override", ["", "x", "=1", "a..b=1", ".a=1", "a." * 60 + "b=1"])
def test_an_override_needs_a_path_and_a_value(override):
    with pytest.raises(InvalidJob, match="must be path=value"):
        changed(override)


def test_a_value_that_is_no_yaml_is_reported_with_the_option():
    with pytest.raises(InvalidJob, match=r"--set a=\[: is not YAML"):
        changed("a=[")


def test_unreadable_values_are_reported_with_their_path():
    (problem,) = changed("training.schedule.milestones=[1, .inf]").problems
    assert problem.path == "spec.training.schedule.milestones.1"
    assert problem.source == "--set training.schedule.milestones=[1, .inf]"
