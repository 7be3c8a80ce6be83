"""The schema of the chart's values."""

import json

import pytest
from jsonschema import Draft202012Validator

from gossip_packaging.annotated import read_values
from gossip_packaging.values_schema import values_schema

TEXT = """\
### All

image:
  # -- Tag.
  # @schema {pattern: "^v"}
  tag: v1
# -- Replicas.
# @schema {minimum: 0}
replicas: 1
# -- Labels.
labels: {a: b}
# -- Ports.
# @schema {items: {type: integer}}
ports: []
# -- Whether.
enabled: false
# -- Seconds.
# @schema {type: number}
seconds: 5
"""
SCHEMA = json.loads(values_schema(read_values(TEXT)))


def accepts(values):
    return Draft202012Validator(SCHEMA).is_valid(values)


def test_it_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"image": {"tag": "v2"}, "replicas": 3, "enabled": True},
        {"labels": {"whatever": "it is"}},
        {"ports": [1, 2]},
        {"seconds": 2.5},
        {"global": {"of": "a parent chart"}},
    ],
)
def test_values_of_the_defaults_types_are_accepted(values):
    assert accepts(values)


@pytest.mark.parametrize(
    "values",
    [
        {"replica": 3},
        {"image": {"tags": "v2"}},
        {"image": "v2"},
        {"replicas": "3"},
        {"replicas": -1},
        {"enabled": "yes"},
        {"image": {"tag": "2"}},
        {"ports": ["http"]},
    ],
)
def test_unknown_names_other_types_and_what_a_restriction_excludes_are_refused(values):
    assert not accepts(values)


def test_description_and_default_are_there_for_editors():
    assert SCHEMA["properties"]["replicas"] == {
        "description": "Replicas.",
        "type": "integer",
        "minimum": 0,
        "default": 1,
    }
