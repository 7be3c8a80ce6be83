"""The API server and the models accept the same jobs, fill in the same defaults, refuse alike.

What the API server says here it says with the definition alone: there is no webhook. Every job is a
dry run with strict field validation, and its numbers are written as kubectl writes them: `1.0` as
`1`, without which CEL does not take it for a whole number.
"""

import copy
import json

import pytest
from cluster_jobs import job
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from job_documents import as_the_server_keeps_it, document, mutated, problems, specs
from testbed.errors import ApiError

from gossip_api.errors import InvalidJob
from gossip_api.job import JobSpec
from gossip_api.loading import parse_job
from gossip_api.objects import job_from_object
from gossip_api.record import record_in

pytestmark = [
    pytest.mark.control_plane,
    pytest.mark.usefixtures("definition"),
    pytest.mark.timeout(240),
]

AGAINST_THE_SERVER = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)


@pytest.fixture
def submit(jobs):
    """Return a function that gives what the API server makes of a job, but keeps nothing."""

    def ask(body):
        body = json.loads(json.dumps(body), parse_float=as_the_server_keeps_it)
        return jobs.bed.api.create(jobs.path, body, dryRun="All", fieldValidation="Strict")

    return ask


@pytest.fixture
def refusal(submit):
    """Return a function that gives what the API server says against a job; empty if nothing."""

    def ask(body):
        try:
            submit(body)
        except ApiError as error:
            if error.status not in {400, 422}:
                raise
            return str(error)
        return ""

    return ask


@given(spec=specs)
@settings(AGAINST_THE_SERVER, max_examples=80)
def test_a_valid_job_is_accepted_and_comes_back_with_the_models_defaults(submit, spec):
    assert problems(spec) == ()
    returned = submit(document(spec))
    # What is left out has the same meaning: once where the server filled it in, once where we do.
    assert job_from_object(returned).spec == parse_job(json.dumps(document(spec))).spec


A_NULL_LABEL = {"metadata": {"labels": {"": None, "a": None, "b": "1"}}}


@given(spec=mutated())
@example(spec=job()["spec"] | {"workers": {"template": A_NULL_LABEL}})
@example(
    spec=job()["spec"]
    | {"monitoring": {"scrapeFrom": {"podSelector": {"matchLabels": {"a": None}}}}}
)
@settings(AGAINST_THE_SERVER, max_examples=250)
def test_a_job_changed_at_one_place_is_refused_by_both_or_by_none(refusal, spec):
    said, found = refusal(document(spec)), problems(spec)
    assert bool(said) == bool(found), (said, found)


GOSSIP = {"strategy": {"type": "Gossip"}}
STRATEGIES = {
    "gossip": "Gossip",
    "elasticAveraging": "ElasticAveraging",
    "parameterServer": "ParameterServer",
    "allReduce": "AllReduce",
    "localSGD": "LocalSGD",
}


def gossip(**settings):
    return {"strategy": {"type": "Gossip", "gossip": settings}}


def local_sgd(**settings):
    return {
        "strategy": {"type": "LocalSGD", "localSGD": settings},
        "security": {"mutualTLS": False},
    }


def elastic_averaging(**settings):
    return {"strategy": {"type": "ElasticAveraging", "elasticAveraging": settings}}


def training(**parts):
    return {"training": job()["spec"]["training"] | parts}


def simulation(**parts):
    return {"simulation": {"computeSeconds": {"mean": 1}} | parts}


def optimizer(**parts):
    return training(optimizer={"name": "sgd", "learningRate": 0.1} | parts)


RING_OF_8 = {"type": "OnePeerExponential", "fallback": False}
BREAKING = [
    ("server", {"server": {}}),
    ("workers.replicas", gossip(topology=RING_OF_8) | {"workers": {"replicas": 6}}),
    ("strategy.allReduce.allowPlaintext", {"strategy": {"type": "AllReduce"}}),
    ("strategy.localSGD.allowPlaintext", {"strategy": {"type": "LocalSGD"}}),
    ("monitoring.metricsPort", {"monitoring": {"metricsPort": 29401}}),
    *(
        (
            f"strategy.{member}",
            {"strategy": {"type": "Gossip" if kind != "Gossip" else "ParameterServer", member: {}}},
        )
        for member, kind in STRATEGIES.items()
    ),
    ("strategy.gossip.mixingWeight", gossip(exchange="Push", mixingWeight=0.5)),
    ("strategy.gossip.selection", gossip(selection="Uniform", topology={"type": "RandomMatching"})),
    (
        "strategy.gossip.selection",
        gossip(exchange="PushSum", selection="Uniform", topology={"type": "Ring"}),
    ),
    ("strategy.gossip.topology.fallback", gossip(topology={"type": "Ring", "fallback": True})),
    ("strategy.localSGD.partnerDeadline", local_sgd(partnerDeadline="5s")),
    ("strategy.localSGD.allowPlaintext", local_sgd(averaging="Gossip", allowPlaintext=True)),
    (
        "strategy.localSGD.outer.optimizer",
        local_sgd(averaging="Gossip", outer={"optimizer": "Nesterov"}),
    ),
    ("workers.minReplicas", {"workers": {"minReplicas": 2}}),
    ("workers.maxReplicas", {"workers": {"replicas": 3, "maxReplicas": 2}}),
    *(
        (f"{role}.template.spec.containers", parts | {role: {"template": {"spec": spec}}})
        for role, parts in (
            ("workers", {}),
            ("evaluator", {}),
            ("server", {"strategy": {"type": "ParameterServer"}}),
        )
        for spec in (
            {"containers": []},
            {"containers": [{"name": "proxy"}]},
            {"containers": [{"name": "trainer"}, {"name": "trainer"}]},
        )
    ),
    ("training.schedule", training(schedule={"name": "cosine"}, budget={"seconds": 1})),
    ("training.model.name", training(data={"name": "quadratic"})),
    ("training.data.name", training(model={"name": "quadratic"})),
    (
        "training.target.metric",
        training(
            data={"name": "quadratic"},
            model={"name": "quadratic"},
            target={"metric": "accuracy", "value": 1},
        ),
    ),
    ("training.data.name", training(data={"name": "imagenet"})),
    ("training.model.name", training(data={"name": "text"})),
    ("training.gradientAccumulation", training(batchSize=4, gradientAccumulation=8)),
    (
        "training.labelSmoothing",
        training(
            model={"name": "quadratic"},
            data={"name": "quadratic"},
            labelSmoothing=0.1,
        ),
    ),
    (
        "training.batchSize",
        training(batchSize=9) | {"workers": {"replicas": 1, "devicesPerWorker": 2}},
    ),
    (
        "training.movingAverage",
        training(movingAverage={"decay": 0.9}) | {"strategy": {"type": "ElasticAveraging"}},
    ),
    ("strategy.gossip.compression.type", gossip(compression={"type": "Int8"})),
    (
        "strategy.gossip.compression.type",
        gossip(exchange="Push", compression={"type": "Partial", "fragments": 4}),
    ),
    (
        "strategy.gossip.compression.fragments",
        gossip(compression={"type": "BFloat16", "fragments": 4}),
    ),
    (
        "strategy.elasticAveraging.compression.type",
        elastic_averaging(compression={"type": "Partial", "fragments": 4}),
    ),
    (
        "strategy.elasticAveraging.compression.fragments",
        elastic_averaging(compression={"type": "Int8", "fragments": 4}),
    ),
    (
        "strategy.localSGD.compression.type",
        local_sgd(averaging="Gossip", compression={"type": "Int8"}),
    ),
    (
        "strategy.localSGD.compression.fragments",
        local_sgd(averaging="Gossip", compression={"type": "BFloat16", "fragments": 4}),
    ),
    (
        "training.data.sharding",
        training(model={"name": "quadratic"}, data={"name": "quadratic", "sharding": "ByLabel"}),
    ),
    ("training.optimizer.momentum", optimizer(name="adam", momentum=0)),
    ("training.optimizer.nesterov", optimizer(name="adam", nesterov=False)),
    ("training.optimizer.betas", optimizer(betas=[0.9, 0.9])),
    ("training.optimizer.epsilon", optimizer(epsilon=1)),
    ("training.optimizer.nesterov", optimizer(nesterov=True)),
    ("training.schedule.milestones", training(schedule={"name": "constant", "milestones": [1]})),
    ("training.schedule.gamma", training(schedule={"name": "constant", "gamma": 1})),
    ("training.schedule.epochs", training(schedule={"name": "constant", "epochs": 1})),
    (
        "training.schedule.minLearningRate",
        training(schedule={"name": "constant", "minLearningRate": 0}),
    ),
    ("training.schedule.milestones", training(schedule={"name": "step"})),
    ("training.schedule.milestones", training(schedule={"name": "step", "milestones": [2, 2]})),
    ("training.budget", training(budget={})),
    ("training.budget", training(budget={"epochs": 1, "samples": 1})),
    ("training.target.value", training(target={"metric": "accuracy", "value": 2})),
    *(
        (
            f"monitoring.scrapeFrom.{which}.matchExpressions[0].values",
            {"monitoring": {"scrapeFrom": {which: {"matchExpressions": [requirement]}}}},
        )
        for which in ("namespaceSelector", "podSelector")
        for requirement in (
            {"key": "a", "operator": "In"},
            {"key": "a", "operator": "Exists", "values": ["b"]},
        )
    ),
    *(
        (f"checkpoint.{place}", {"checkpoint": {"storage": {"claimName": "a"}} | parts})
        for place, parts in (
            ("storage", {"storage": {}}),
            ("storage", {"storage": {"claimName": "a", "url": "s3://bucket/runs"}}),
            ("every", {"every": "999ms"}),
        )
    ),
    ("simulation.stragglers", simulation(stragglers=[{"worker": 1, "slowdown": 2}] * 2)),
    ("simulation.computeSeconds", simulation(computeSeconds={})),
    (
        "simulation.computeSeconds.distribution",
        simulation(computeSeconds={"trace": "a", "distribution": "Constant"}),
    ),
    ("simulation.computeSeconds.jitter", simulation(computeSeconds={"trace": "a", "jitter": 0.1})),
    (
        "simulation.computeSeconds.jitter",
        simulation(computeSeconds={"mean": 1, "distribution": "Constant", "jitter": 0.1}),
    ),
    ("simulation.faults[0]", simulation(faults=[{"at": "1s", "crash": 1, "join": 2}])),
    ("checkpoint", simulation(faults=[{"at": "1s", "restart": "5s"}])),
]


def broken(parts):
    """Return the one problem that the models have with a job of these parts."""
    with pytest.raises(InvalidJob) as caught:
        job_from_object(job(**parts))
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("place", "parts"),
    BREAKING,
    ids=[f"{index}-{place}" for index, (place, _) in enumerate(BREAKING)],
)
def test_a_job_that_breaks_a_rule_is_refused_at_the_same_place_in_the_same_words(
    refusal, place, parts
):
    message, said = broken(parts).message, refusal(job(**parts))
    rule = next(each for each in all_messages() if message.endswith(each))
    assert f"spec.{place}: Invalid value" in said
    assert f": {rule}" in said


def all_messages(record=JobSpec):
    for rule in record.all_rules():
        yield rule.message
    for field in record.model_fields.values():
        if part := record_in(field.annotation):
            yield from all_messages(part)


def test_every_rule_is_broken_by_one_of_these_jobs():
    found = [broken(parts).message for _, parts in BREAKING]
    unbroken = [rule for rule in all_messages() if not any(m.endswith(rule) for m in found)]
    assert unbroken == []


@pytest.mark.parametrize(
    ("name", "is_allowed"),
    [
        ("a", True),
        ("a" * 40, True),
        ("a-1", True),
        ("a" * 41, False),
        ("1a", False),
        ("a.b", False),
        ("a-", False),
        ("A", False),
    ],
)
def test_names_are_as_long_as_the_names_of_pods_permit(refusal, name, is_allowed):
    body = job() | {"metadata": {"name": name}}
    said = refusal(body)
    assert (said == "") == is_allowed
    if is_allowed:
        assert job_from_object(body).metadata.name == name
    else:
        assert "name" in said
        with pytest.raises(InvalidJob, match=r"metadata\.name"):
            job_from_object(body)


def test_a_misspelt_field_is_refused_and_named(refusal):
    body = job()
    body["spec"]["trainning"] = {}
    assert 'unknown field "spec.trainning"' in refusal(body)
    with pytest.raises(InvalidJob, match=r"spec\.trainning: unknown key \(did you mean training"):
        job_from_object(body)


@given(data=st.data())
@settings(AGAINST_THE_SERVER, max_examples=20)
def test_what_the_server_returns_is_accepted_again_and_stays_the_same(submit, data):
    returned = submit(document(data.draw(specs)))
    again = copy.deepcopy(returned)
    again["metadata"] = {"name": returned["metadata"]["name"]}
    assert submit(again)["spec"] == returned["spec"]
