"""Laws of pods: what the user says survives, what the operator must know is its own."""

import json

from hypothesis import given
from hypothesis import strategies as st
from manifest_jobs import children_of, environment_of, job, pod_of, templated, trainer_of

from gossip_api.names import JOB_NAME_MAX_LENGTH, Role, parse_pod_name

WORDS = st.text(st.characters(codec="ascii", categories=["Ll", "Lu"]), min_size=1, max_size=8)
LEAVES = st.booleans() | st.integers(-1000, 1000) | WORDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
PASSED_ON = [
    "affinity",
    "dnsConfig",
    "nodeSelector",
    "priorityClassName",
    "overhead",
    "hostAliases",
]
POD_FIELDS = st.dictionaries(
    st.sampled_from(PASSED_ON) | WORDS.map("x{}".format), VALUES, max_size=4
)
CONTAINER_FIELDS = st.dictionaries(
    st.sampled_from(["lifecycle", "livenessProbe", "workingDir", "envFrom"])
    | WORDS.map("x{}".format),
    VALUES,
    max_size=4,
)
VARIABLES = st.lists(
    st.builds(
        lambda prefix, name: {"name": prefix + name, "value": "mine"},
        st.sampled_from(["", "GOSSIP_", "MY_GOSSIP_"]),
        st.sampled_from(["RANK", "ROLE", "TLS", "FRESH", "OTHER", "HOME"]),
    ),
    unique_by=lambda variable: variable["name"],
    max_size=6,
)


def template(pod_fields, container_fields=None, env=()):
    trainer = {"name": "trainer", "image": "a:1", "env": list(env), **(container_fields or {})}
    return {"spec": {**pod_fields, "containers": [trainer, {"name": "beside", "image": "b:1"}]}}


def turned(value):
    """The same value with its names in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(list(value))}
    if isinstance(value, list):
        return [turned(item) for item in value]
    return value


@given(POD_FIELDS, CONTAINER_FIELDS, st.sampled_from(Role))
def test_what_the_operator_does_not_decide_is_passed_on_to_every_role(pod, container, role):
    made = pod_of(templated(template(pod, container), strategy={"type": "ElasticAveraging"}), role)
    assert pod.items() <= made["spec"].items()
    assert container.items() <= trainer_of(made).items()
    assert {"name": "beside", "image": "b:1"} in made["spec"]["containers"]


@given(VARIABLES)
def test_the_operators_variables_are_the_same_whatever_the_user_sets(env):
    def told(env):
        found = environment_of(pod_of(templated(template({}, env=env))))
        return {name: value for name, value in found.items() if name.startswith("GOSSIP_")}

    assert told(env) == told([])


@given(VARIABLES)
def test_the_users_other_variables_survive_in_their_order(env):
    kept = [variable for variable in env if not variable["name"].startswith("GOSSIP_")]
    made = trainer_of(pod_of(templated(template({}, env=env))))["env"]
    assert made[len(made) - len(kept) :] == kept


@given(POD_FIELDS, CONTAINER_FIELDS)
def test_equal_jobs_have_children_of_equal_digests_and_bytes(pod, container):
    one = templated(template(pod, container))
    other = templated(turned(template(pod, container)))
    assert children_of(one) == children_of(other)


@given(
    st.from_regex(rf"\A[a-z]([-a-z0-9]{{0,{JOB_NAME_MAX_LENGTH - 2}}}[a-z0-9])?\Z"),
    st.sampled_from(Role),
    st.integers(0, 99_999),
    st.integers(0, 99_999),
)
def test_every_name_is_a_dns_label_that_says_who_it_is(name, role, index, incarnation):
    made = pod_of(job(name), role, index, incarnation)
    for text in (made["metadata"]["name"], made["spec"]["hostname"], made["spec"]["subdomain"]):
        assert len(text) <= 63
        assert not text.endswith("-")
    member = parse_pod_name(name, made["metadata"]["name"])
    assert (member.role, member.index, member.incarnation) == (role, index, incarnation)


@given(POD_FIELDS, CONTAINER_FIELDS)
def test_making_a_pod_changes_nothing_of_the_job(pod, container):
    of = templated(template(pod, container))
    before = of.model_dump_json()
    made = pod_of(of)
    assert of.model_dump_json() == before
    assert json.loads(json.dumps(made)) == made
