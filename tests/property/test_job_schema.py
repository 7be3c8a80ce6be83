"""The models and the CRD's structural schema accept the same documents.

What a structural schema cannot say is left to rules, which the models and the CRD state beside each
other; a document that only breaks rules is accepted by the structural schema and refused by the
models. Two more differences are outside these tests: a job's name (a rule on metadata in the CRD)
and durations beyond 999,999,999 days.
"""

import json

import jsonschema
from hypothesis import given, settings
from job_documents import as_the_server_keeps_it, mutated, problems, specs
from strict_schema import json_schema

from gossip_api.crd import custom_resource_definition
from gossip_api.job import GossipTrainingJob
from gossip_api.loading import parse_job, resolved_yaml

SCHEMA = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def without_nulls(value, schema):
    """Drop null fields, as the API server does where a schema does not say nullable."""
    if isinstance(value, dict) and "properties" in schema:
        parts = schema["properties"]
        return {
            key: without_nulls(item, parts.get(key, {}))
            for key, item in value.items()
            if item is not None or key not in parts
        }
    if isinstance(value, dict) and "additionalProperties" in schema:
        return {key: item for key, item in value.items() if item is not None}
    if isinstance(value, list) and "items" in schema:
        return [without_nulls(item, schema["items"]) for item in value]
    return value


VALIDATOR = jsonschema.Draft202012Validator(json_schema(SCHEMA["properties"]["spec"]))


def structure_accepts(spec):
    return VALIDATOR.is_valid(without_nulls(spec, SCHEMA["properties"]["spec"]))


def rule_messages(schema):
    for rule in schema.get("x-kubernetes-validations", ()):
        yield rule["message"]
    for part in (*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])):
        yield from rule_messages(part)


RULES = tuple(rule_messages(SCHEMA))


@given(specs)
@settings(max_examples=100, deadline=None)
def test_valid_jobs_are_accepted_by_both(spec):
    assert problems(spec) == ()
    assert structure_accepts(spec)


@given(mutated())
@settings(max_examples=200, deadline=None)
def test_what_the_structure_refuses_the_models_refuse_and_otherwise_only_rules_differ(spec):
    found = problems(spec)
    if structure_accepts(spec):
        assert [str(p) for p in found if not p.message.endswith(RULES)] == []
    else:
        assert [p for p in found if not p.message.endswith(RULES)] != []


@given(specs)
@settings(max_examples=100, deadline=None)
def test_the_resolved_document_makes_an_equal_job_that_both_accept(spec):
    job = GossipTrainingJob.model_validate(
        {
            "apiVersion": "gossip.training/v1alpha1",
            "kind": "GossipTrainingJob",
            "metadata": {"name": "a", "labels": {"on": "1e-4", "b": "\u00e9\x85\n\U0001f600"}},
            "spec": json.loads(json.dumps(spec), parse_float=as_the_server_keeps_it),
        }
    )
    text = resolved_yaml(job)
    again = parse_job(text)
    assert again == job
    assert resolved_yaml(again) == text
    assert structure_accepts(
        again.model_dump(mode="json", by_alias=True, exclude_none=True)["spec"]
    )
