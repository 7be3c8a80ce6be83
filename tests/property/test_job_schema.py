"""The models and the CRD's structural schema accept the same documents.

What a structural schema cannot say is left to rules, which the models and the CRD state beside each
other; a document that only breaks rules is accepted by the structural schema and refused by the
models. Two more differences are outside these tests: a job's name (a rule on metadata in the CRD)
and durations beyond 999,999,999 days.
"""

import copy
import json

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from gossip_api.crd import custom_resource_definition
from gossip_api.errors import InvalidJob
from gossip_api.job import GossipTrainingJob
from gossip_api.loading import parse_job, resolved_yaml

SCHEMA = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
INT64 = {"minimum": -(2**63), "maximum": 2**63 - 1}


def json_schema(schema):
    """Translate a structural schema to JSON Schema 2020-12, read as strictly as kubectl does."""
    out = {key: value for key, value in schema.items() if not key.startswith(("x-", "exclusive"))}
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if schema.get(exclusive):
            out[exclusive] = out.pop(bound)
    if (
        "pattern" in schema
    ):  # `$` is the end in RE2, but also stands before a last newline in Python
        out["pattern"] = schema["pattern"].removesuffix("$") + r"\Z"
    if schema["type"] == "integer":
        out = {**INT64, **out}
    if "properties" in schema:
        out["properties"] = {key: json_schema(part) for key, part in schema["properties"].items()}
        out["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if key in schema:
            out[key] = json_schema(schema[key])
    return out


def without_nulls(value, schema):
    """Drop null fields, as the API server does where a schema does not say nullable."""
    if isinstance(value, dict) and "properties" in schema:
        parts = schema["properties"]
        return {
            key: without_nulls(item, parts.get(key, {}))
            for key, item in value.items()
            if item is not None or key not in parts
        }
    return value


VALIDATOR = jsonschema.Draft202012Validator(json_schema(SCHEMA["properties"]["spec"]))


def structure_accepts(spec):
    return VALIDATOR.is_valid(without_nulls(spec, SCHEMA["properties"]["spec"]))


def rule_messages(schema):
    for rule in schema.get("x-kubernetes-validations", ()):
        yield rule["message"]
    for part in schema.get("properties", {}).values():
        yield from rule_messages(part)


RULES = tuple(rule_messages(SCHEMA))


def problems(spec):
    document = {
        "apiVersion": "gossip.training/v1alpha1",
        "kind": "GossipTrainingJob",
        "metadata": {"name": "a"},
        "spec": spec,
    }
    try:
        parse_job(json.dumps(document))
    except InvalidJob as error:
        return error.problems
    return ()


def optional(required, **fields):
    return st.fixed_dictionaries(required, optional=fields)


positive = st.floats(1e-6, 1e6) | st.integers(1, 1000)
not_negative = st.floats(0, 1e6) | st.integers(0, 1000)
below_one = st.floats(0, 0.999) | st.just(0)
count = st.integers(1, 10_000) | st.integers(1, 100).map(float)
duration = st.sampled_from(["500ms", "60s", "5m", "1h30m", "2d", "1d2h3m4s5ms"])
# JSON escapes characters beyond these as pairs, which YAML does not know.
text = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8)
arguments = st.dictionaries(
    text,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)  # what the loader and the API server keep as integers
        | st.floats(allow_nan=False, allow_infinity=False)
        | text
        | st.sampled_from(["1e-4", "no", "0o7", "~", "2026-01-02"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner),
        max_leaves=5,
    ),
    max_size=3,
)
share = st.floats(0.001, 1)
free = optional({}, type=st.sampled_from(["Complete", "Ring", "Torus", "Exponential"])) | optional(
    {"type": st.just("Hypercube")}, fallback=st.just(True)
)
forced = st.sampled_from(["OnePeerExponential", "RandomMatching"]).map(lambda kind: {"type": kind})
selection = st.sampled_from(["Uniform", "UniformOthers", "Balanced"])
common = {"period": count, "overlap": st.booleans()}
gossip = st.one_of(
    optional({}, exchange=st.just("Pull"), topology=free, selection=selection, **common),
    optional({"exchange": st.just("Push")}, topology=free, selection=selection, **common),
    optional({"exchange": st.just("Pairwise")}, topology=forced, mixingWeight=share, **common),
    optional({"exchange": st.just("PushSum")}, topology=free | forced, **common),
)
outer = {"learningRate": positive, "momentum": below_one}
every_outer = optional({}, optimizer=st.sampled_from(["Nesterov", "HeavyBall"]), **outer)
gossip_outer = optional({}, optimizer=st.just("HeavyBall"), **outer)
local_sgd = optional({}, period=count, outer=every_outer) | optional(
    {"averaging": st.just("Gossip")}, period=count, outer=gossip_outer, partnerDeadline=duration
)
members = {
    "gossip": gossip,
    "elasticAveraging": optional({}, movingRate=share, **common),
    "parameterServer": optional({}, maxStaleness=st.integers(0, 9), overlap=st.booleans()),
    "allReduce": optional({}, backend=st.sampled_from(["auto", "gloo"])),
    "localSGD": local_sgd,
}
strategy = st.one_of(
    [
        optional({"type": st.just(member[0].upper() + member[1:])}, **{member: settings_of})
        for member, settings_of in members.items()
    ]
)
workers = st.tuples(st.integers(1, 64), st.integers(1, 64)).map(
    lambda pair: {"replicas": max(pair), "minReplicas": min(pair)}
) | optional({}, replicas=count)
rate = {"learningRate": positive}
momenta = st.sampled_from(
    [
        {},
        {"momentum": 0},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"nesterov": False},
    ]
)
sgd = st.builds(
    lambda base, momentum: {**base, **momentum},
    optional({"name": st.just("sgd"), **rate}, weightDecay=not_negative),
    momenta,
)
adam = optional(
    {"name": st.sampled_from(["adam", "adamw"]), **rate},
    weightDecay=not_negative,
    betas=st.lists(below_one, min_size=2, max_size=2),
    epsilon=positive,
)
step = optional(
    {
        "name": st.just("step"),
        "milestones": st.lists(st.integers(1, 500), min_size=1, max_size=8, unique=True).map(
            sorted
        ),
    },
    gamma=positive,
    warmupEpochs=not_negative,
)
constant = optional({}, name=st.just("constant"), warmupEpochs=not_negative)
cosine = optional(
    {"name": st.just("cosine"), "epochs": positive},
    minLearningRate=not_negative,
    warmupEpochs=not_negative,
)
budget = st.one_of(
    st.fixed_dictionaries({"epochs": positive}),
    st.fixed_dictionaries({"samples": count}),
    st.fixed_dictionaries({"seconds": positive}),
    st.fixed_dictionaries({"stepsPerWorker": count}),
)
target = st.one_of(
    st.fixed_dictionaries({"metric": st.just("accuracy"), "value": st.floats(0.001, 1)}),
    st.fixed_dictionaries({"metric": st.just("loss"), "value": positive}),
)
training = optional(
    {
        "model": optional(
            {"name": st.sampled_from(["mlp", "resnet18", "a.b:C", "m:f"])}, args=arguments
        ),
        "data": optional(
            {"name": st.sampled_from(["digits", "fashion-mnist", "cifar10", "synthetic"])},
            root=text.filter(bool),
            sharding=st.sampled_from(["Partition", "Shared", "ByLabel"]),
            args=arguments,
        ),
        "optimizer": sgd | adam,
        "budget": budget,
    },
    batchSize=count,
    schedule=step | constant | cosine,
    target=target,
    seed=st.integers(0, 2**31 - 1),
)
server = optional({}, shards=st.integers(1, 64))
strategy_and_server = strategy.map(lambda chosen: {"strategy": chosen}) | st.fixed_dictionaries(
    {
        "strategy": st.fixed_dictionaries(
            {"type": st.sampled_from(["ElasticAveraging", "ParameterServer"])}
        ),
        "server": server,
    }
)
other_parts = optional(
    {"training": training},
    workers=workers,
    evaluation=optional({}, every=duration, sample=count, workers=st.integers(0, 9)),
    runPolicy=optional({}, startDeadline=duration, activeDeadline=duration),
)
specs = st.builds(lambda *parts: parts[0] | parts[1], strategy_and_server, other_parts)
WRONG = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 2, 0.5, 1.0, 1.5, -0.1, 1e-9, 1e300, 2**31, 2**63, 10**30),
        *("", "1", "true", "Gossip", "gossip", "sgd", "adam", "step", "accuracy", "a b", "mlp\n"),
        *("0s", "1h0m", "5m", "5m\n", "60", [], [1], [0.5, 0.9], [0, 1], [None], {}, {"a": 1}),
    ]
)


def places(value, path=()):
    """Yield the paths of everything below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


@st.composite
def mutated(draw):
    """Draw a valid spec and change it at one place: another value, a key more or a key less."""
    spec = copy.deepcopy(draw(specs))
    path = draw(st.sampled_from(sorted(places(spec), key=str)))
    parent = spec
    for key in path[:-1]:
        parent = parent[key]
    change = draw(st.sampled_from(["set", "set", "set", "remove", "add"]))
    if change == "set" or not isinstance(parent, dict):
        parent[path[-1]] = draw(WRONG)
    elif change == "remove":
        del parent[path[-1]]
    else:
        known = [
            "type",
            "name",
            "gossip",
            "localSGD",
            "exchange",
            "averaging",
            "fallback",
            "server",
            "momentum",
            "epochs",
            "epsilon",
            "value",
            "batch_size",
            "x",
        ]
        parent[draw(st.sampled_from(known))] = draw(WRONG)
    return spec


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
            "spec": json.loads(json.dumps(spec), parse_float=integral),
        }
    )
    text = resolved_yaml(job)
    again = parse_job(text)
    assert again == job
    assert resolved_yaml(again) == text
    assert structure_accepts(
        again.model_dump(mode="json", by_alias=True, exclude_none=True)["spec"]
    )


def integral(text):
    """Read a number as the API server keeps it: an integral float is an integer."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**63 else value
