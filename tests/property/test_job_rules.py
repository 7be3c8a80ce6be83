"""The rules of the job document say the same in Python and in CEL, on whatever the schema lets in.

The API server fills in the schema's defaults and then evaluates every rule. The models look at a
record's rules only when those of the records in it hold, so they may report fewer of several
broken ones, but never others and never none.
"""

import copy
import functools

import pytest
from cel import holds
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gossip_api.duration import PATTERN
from gossip_api.evaluation import Evaluation
from gossip_api.job import JobSpec
from gossip_api.record import BROKEN_RULES, record_in
from gossip_api.strategy import Strategy
from gossip_api.structural import structural_schema
from gossip_api.template import CONTAINER_NAME
from gossip_api.training import MODEL_NAME

TEXTS = {
    PATTERN: st.sampled_from(["500ms", "60s"]),
    MODEL_NAME: st.sampled_from(["mlp", "gpt", "quadratic", "a.b:c"]),
    CONTAINER_NAME: st.sampled_from(["trainer", "proxy"]),
}
NUMBERS = (0.0, 0.5, 0.999, 1.0, 1.5, 3.0, 100.0)
TRAINING = {
    "model": {"name": "mlp"},
    "data": {"name": "digits"},
    "optimizer": {"name": "sgd", "learningRate": 0.1},
    "budget": {"epochs": 1},
}


def documents(schema):
    """Draw what the structural schema accepts, rules aside."""
    match schema:
        case {"enum": allowed}:
            return st.sampled_from(allowed)
        case {"properties": parts}:
            required = set(schema.get("required", ()))
            drawn = {name: documents(part) for name, part in parts.items()}
            return st.fixed_dictionaries(
                {name: drawn[name] for name in parts if name in required},
                optional={name: drawn[name] for name in parts if name not in required},
            )
        case {"type": "array", "items": items}:
            return st.lists(
                documents(items), min_size=schema.get("minItems", 0), max_size=3
            ).filter(lambda drawn: len(drawn) <= schema.get("maxItems", 3))
        case {"type": "object"}:
            return st.just({})
    return scalars(schema)


def scalars(schema):
    match schema:
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer"}:
            least = schema.get("minimum", 0)
            return st.integers(least, min(least + 8, schema.get("maximum", least + 8)))
        case {"type": "number"}:
            return st.sampled_from([number for number in NUMBERS if within(schema, number)])
        case {"pattern": pattern}:
            return TEXTS.get(pattern, st.from_regex(pattern.rstrip("$") + r"\Z"))
    return st.text("ab", min_size=schema.get("minLength", 0), max_size=2)


def within(schema, number):
    low, high = schema.get("minimum", number), schema.get("maximum", number)
    return (low < number if schema.get("exclusiveMinimum") else low <= number) and (
        number < high if schema.get("exclusiveMaximum") else number <= high
    )


def with_defaults(value, schema):
    """Fill in the defaults as the API server does."""
    if isinstance(value, list):
        return [with_defaults(item, schema["items"]) for item in value]
    if "properties" not in schema:
        return value
    parts = schema["properties"]
    missing = {
        name: copy.deepcopy(part["default"])
        for name, part in parts.items()
        if name not in value and "default" in part
    }
    return {name: with_defaults(item, parts[name]) for name, item in (value | missing).items()}


def broken_in_cel(value, schema, path=()):
    """Yield place and message of every rule that the document breaks, defaults filled in."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if not holds(rule["rule"], value):
            field = rule.get("fieldPath", "").split(".")[1:]
            yield (*path, *field), rule["message"]
    if isinstance(value, dict):
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from broken_in_cel(value[name], part, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from broken_in_cel(item, schema["items"], (*path, index))


def broken_in_python(record, document):
    """Return place and message of every rule that the models find broken; no other fault."""
    try:
        record.model_validate(document)
    except ValidationError as error:
        found = error.errors()
        assert {each["type"] for each in found} == {BROKEN_RULES}
        return {
            ((*each["loc"], *filter(None, field.split("."))), message)
            for each in found
            for field, message in each["ctx"]["broken"]
        }
    return set()


def records(record):
    """Yield a record's type and those of all records in it."""
    yield record
    for field in record.model_fields.values():
        if part := record_in(field.annotation):
            yield from records(part)


schema_of = functools.cache(structural_schema)


def check_agreement(record, document):
    schema = schema_of(record)
    in_python = broken_in_python(record, document)
    in_cel = set(broken_in_cel(with_defaults(document, schema), schema))
    assert in_python <= in_cel
    assert bool(in_python) == bool(in_cel)


@pytest.mark.parametrize(
    "record",
    sorted({*records(JobSpec)} - {JobSpec, Evaluation}, key=lambda record: record.__name__),
    ids=lambda record: record.__name__,
)
def test_models_and_api_server_find_the_same_rules_broken_in_every_record(record):

    @given(documents(schema_of(record)))
    @settings(max_examples=80, deadline=None)
    def check(document):
        check_agreement(record, document)

    check()


def part(record, field):
    return documents(schema_of(record_in(record.model_fields[field].annotation)))


strategies = st.one_of(
    [
        st.fixed_dictionaries(
            {"type": st.just(kind), Strategy.spelled(member): part(Strategy, member)}
        )
        for member, (kind,) in Strategy.only.items()
    ]
)
specs = st.fixed_dictionaries(
    {"strategy": strategies, "training": st.just(TRAINING)},
    optional={
        "workers": st.builds(lambda n: {"replicas": n}, st.integers(1, 9)),
        "server": st.just({}),
        "security": part(JobSpec, "security"),
        "discovery": part(JobSpec, "discovery"),
        "monitoring": part(JobSpec, "monitoring"),
    },
)


@given(specs)
@settings(max_examples=200, deadline=None)
def test_models_and_api_server_find_the_same_rules_broken_between_records(spec):
    assume(not broken_in_python(Strategy, spec["strategy"]))
    check_agreement(JobSpec, spec)


@given(part(JobSpec, "workers"), st.sampled_from(["Hypercube", "OnePeerExponential"]))
@settings(max_examples=50, deadline=None)
def test_models_and_api_server_agree_on_numbers_of_workers_without_fallback(workers, family):
    topology = {"type": family, "fallback": False}
    strategy = {"type": "Gossip", "gossip": {"topology": topology}}
    check_agreement(JobSpec, {"strategy": strategy, "training": TRAINING, "workers": workers})
