"""The definition as Kubernetes needs it."""

import json
import re

import pytest
import yaml

from gossip_api.crd import crd_yaml, custom_resource_definition
from gossip_api.job import FIXED, JobSpec
from gossip_api.record import record_in

VERSION = custom_resource_definition()["spec"]["versions"][0]
ROOT = VERSION["schema"]["openAPIV3Schema"]


def at(path):
    schema = ROOT
    for key in path.strip(".").split("."):
        schema = schema["properties"][key]
    return schema


def subschemas(schema, path=""):
    yield path, schema
    for key, part in schema.get("properties", {}).items():
        yield from subschemas(part, f"{path}.{key}")
    if "items" in schema:
        yield from subschemas(schema["items"], f"{path}[]")


def test_the_name_is_plural_and_group():
    crd = custom_resource_definition()
    names = crd["spec"]["names"]
    assert crd["metadata"]["name"] == f"{names['plural']}.{crd['spec']['group']}"
    assert names["shortNames"] == ["gtj"]
    assert names["categories"] == ["all", "training"]


def test_it_has_status_and_scale():
    scale = VERSION["subresources"]["scale"]
    assert VERSION["subresources"]["status"] == {}
    assert at(scale["specReplicasPath"])["type"] == "integer"
    assert at(scale["statusReplicasPath"])["type"] == "integer"
    assert at(scale["labelSelectorPath"])["type"] == "string"


@pytest.mark.parametrize("column", VERSION["additionalPrinterColumns"], ids=lambda c: c["name"])
def test_a_columns_type_is_that_of_its_field(column):
    path = column["jsonPath"]
    if path == ".metadata.creationTimestamp":
        assert column["type"] == "date"
    elif "[?" in path:
        conditions, kind, field = re.fullmatch(
            r'(.*)\[\?\(@.type=="(\w+)"\)\]\.(\w+)', path
        ).groups()
        item = at(conditions)["items"]
        assert kind in item["properties"]["type"]["enum"]
        assert item["properties"][field]["type"] == column["type"]
    else:
        assert at(path)["type"] == column["type"]


def test_every_part_has_a_type_and_no_foreign_keyword():
    allowed = {
        "type", "description", "properties", "required", "items", "enum", "default", "format",
        "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength",
        "maxLength", "minItems", "maxItems", "additionalProperties", "x-kubernetes-validations",
        "x-kubernetes-preserve-unknown-fields", "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
    }  # fmt: skip
    for path, schema in subschemas(ROOT):
        assert "type" in schema, path
        assert schema.keys() <= allowed, path
        assert not {"properties", "additionalProperties"} <= schema.keys(), path


def test_every_field_of_spec_and_status_is_described():
    bare = [
        path
        for path, schema in subschemas(ROOT)
        if re.match(r"\.(spec|status)", path) and "[]" not in path and "description" not in schema
    ]
    assert bare == []


def test_an_object_with_a_default_requires_nothing():
    for path, schema in subschemas(ROOT):
        if schema.get("default") == {}:
            assert "required" not in schema, path


def test_the_status_has_no_defaults():
    assert [path for path, schema in subschemas(at("status"), "") if "default" in schema] == []


def test_rules_point_to_fields_that_exist_and_do_not_iterate_without_bound():
    for path, schema in subschemas(ROOT):
        for rule in schema.get("x-kubernetes-validations", ()):
            blamed = schema
            for field in rule.get("fieldPath", "").split(".")[1:]:
                assert field in blamed["properties"], path
                blamed = blamed["properties"][field]
            for iterated in re.findall(r"self\.(\w+)\.(?:all|exists_one|isSorted)\(", rule["rule"]):
                assert "maxItems" in schema["properties"][iterated], path


def test_rules_ask_whether_a_field_is_there_unless_it_is_sure_to_be():
    for path, schema in subschemas(ROOT["properties"]["spec"]):
        required = set(schema.get("required", ()))
        filled = {key for key, part in schema.get("properties", {}).items() if "default" in part}
        for rule in schema.get("x-kubernetes-validations", ()):
            used = set(re.findall(r"self\.(\w+)", rule["rule"]))
            asked = set(re.findall(r"has\(self\.(\w+)\)", rule["rule"]))
            assert used - asked <= required | filled, path
            # A record's own default `{}` is checked before the defaults in it are filled in.
            if "default" in schema:
                assert rule["rule"].startswith("!has("), path


def test_defaults_are_of_the_kind_that_their_field_allows():
    for path, schema in subschemas(ROOT):
        if "pattern" in schema and "default" in schema:
            assert re.search(schema["pattern"], schema["default"]), path
    assert at("spec.evaluation.every")["default"] == "1m"


def test_every_rule_of_the_models_is_there():
    messages = {
        rule["message"]
        for _, schema in subschemas(ROOT["properties"]["spec"])
        for rule in schema.get("x-kubernetes-validations", ())
        if "oldSelf" not in rule["rule"]
    }
    assert "must not be larger than replicas" in messages
    assert messages == set(rule_messages(JobSpec))


def rule_messages(record):
    yield from (rule.message for rule in record.all_rules())
    for field in record.model_fields.values():
        if part := record_in(field.annotation):
            yield from rule_messages(part)


def test_what_pods_read_only_once_may_change_only_while_the_job_is_suspended():
    rules = {
        rule["fieldPath"].removeprefix("."): rule["rule"]
        for rule in at("spec")["x-kubernetes-validations"]
        if "oldSelf" in rule["rule"]
    }
    assert set(rules) == set(FIXED)
    assert all(rule.startswith("self.suspend || ") for rule in rules.values())


def test_a_scaler_sees_the_workers_that_are_there():
    assert VERSION["subresources"]["scale"]["statusReplicasPath"] == ".status.workers.active"


def test_the_definition_is_small_enough_for_client_side_apply():
    text = json.dumps(custom_resource_definition(), separators=(",", ":"))
    assert len(text) < 240 * 1024


def test_a_description_is_one_line():
    for path, schema in subschemas(ROOT):
        assert "\n" not in schema.get("description", ""), path
    assert at("spec.strategy.type")["description"].startswith("The strategy. Gossip: workers")


def test_the_text_is_the_definition_and_always_the_same():
    assert yaml.safe_load(crd_yaml()) == custom_resource_definition()
    assert crd_yaml() == crd_yaml()
