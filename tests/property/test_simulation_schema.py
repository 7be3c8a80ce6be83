"""A simulation's models and structural schema accept the same documents, but for rules."""

import copy

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st
from job_documents import places
from pydantic import ValidationError
from strict_schema import json_schema

from gossip_api.record import BROKEN_RULES
from gossip_api.simulation import Simulation
from gossip_api.structural import structural_schema

VALIDATOR = jsonschema.Draft202012Validator(json_schema(structural_schema(Simulation)))


def errors(document):
    """Return the kinds of what the models find wrong."""
    try:
        Simulation.model_validate(document)
    except ValidationError as error:
        return {each["type"] for each in error.errors()}
    return set()


def optional(required, **fields):
    return st.fixed_dictionaries(required, optional=fields)


rank = st.integers(0, 10**6)
positive = st.floats(1e-6, 1e6) | st.integers(1, 100)
duration = st.sampled_from(["500ms", "60s", "1h30m", "2d"])
documents = optional(
    {
        "computeSeconds": optional({"mean": positive}, jitter=st.floats(0, 3))
        | optional({"mean": positive, "distribution": st.sampled_from(["Constant", "Exponential"])})
        | st.fixed_dictionaries({"trace": st.sampled_from(["steps.txt", "a/b"])})
    },
    link=optional(
        {},
        bandwidth=st.from_regex(r"[1-9][0-9]{0,5}(\.[0-9]{1,3})?[kMGT]bps", fullmatch=True),
        duplex=st.sampled_from(["Full", "Half"]),
        latency=st.from_regex(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,3})?(us|ms|s)", fullmatch=True),
    ),
    stragglers=st.lists(
        st.fixed_dictionaries({"worker": rank, "slowdown": positive}),
        max_size=4,
        unique_by=lambda straggler: straggler["worker"],
    ),
    faults=st.lists(
        st.tuples(duration, st.sampled_from(["crash", "leave", "join"]), rank).map(
            lambda fault: {"at": fault[0], fault[1]: fault[2]}
        ),
        max_size=4,
    ),
)
WRONG = st.sampled_from(
    [True, 0, -1, 0.5, 4.5, "", "0Gbps", "1Gbps\n", "10", "1us", "5 ms", [], [1], {}, {"at": "1s"}]
)


@st.composite
def mutated(draw):
    """Draw a valid document and put something wrong somewhere, or something unknown."""
    document = copy.deepcopy(draw(documents))
    path = draw(st.sampled_from(sorted(places(document), key=str)))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    other = draw(st.sampled_from(["crash", "join", "jitter", "mean", "trace", "x"]))
    unknown = isinstance(parent, dict) and draw(st.booleans())
    parent[other if unknown else path[-1]] = draw(WRONG)
    return document


@given(documents)
@settings(max_examples=60, deadline=None)
def test_valid_simulations_are_accepted_by_both_and_survive_being_written(document):
    assert errors(document) == set()
    assert VALIDATOR.is_valid(document)
    simulation = Simulation.model_validate(document)
    written = simulation.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert VALIDATOR.is_valid(written)
    assert Simulation.model_validate(written) == simulation


@given(mutated())
@settings(max_examples=150, deadline=None)
def test_what_the_structure_refuses_the_models_refuse_and_otherwise_only_rules_differ(document):
    if VALIDATOR.is_valid(document):
        assert errors(document) <= {BROKEN_RULES}
    else:
        assert errors(document) - {BROKEN_RULES}
