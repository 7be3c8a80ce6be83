"""Whatever the input, loading ends in a job or in an InvalidJob."""

import datetime as dt

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gossip_api.errors import InvalidJob
from gossip_api.loading import load_job, parse_job

JOB = """\
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata: {name: a}
spec:
  strategy: {type: Gossip, gossip: {period: 1, topology: {type: Complete}}}
  training:
    model: {name: mlp, args: {hidden: [1, 2]}}
    data: {name: digits}
    optimizer: {name: adam, learningRate: 0.1, betas: [0.9, 0.99]}
    schedule: {name: step, milestones: [1, 2]}
    budget: {epochs: 1}
  evaluation: {every: 1m}
"""
FRAGMENTS = [
    *JOB.split(),
    *("\n", "\n  ", "- ", "? ", ": ", ", ", "{", "}", "[", "]", "---\n", "...\n", "#", "|"),
    *("&a ", "*a ", "<<: *a", "!!binary ", "!!set ", "!!python/name:os.system ", "! ", "'"),
    *("~", "yes", "1e-4", ".nan", ".inf", "9" * 500, "0x1f", "1e999", "2026-01-02", "\t"),
    *('"', ">", "%", "\\ud800", "\u0085", "\ufeff"),
]
quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def load(text, overrides=()):
    """Parse; a refusal must say something readable, and every problem must have a source."""
    try:
        return parse_job(text, overrides=overrides)
    except InvalidJob as error:
        problems = error.problems
    assert problems
    assert all(problem.source and problem.message for problem in problems)
    assert all(str(problem).isprintable() for problem in problems)
    return None


@quick
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=80))
@example("\ud800")
@example("[" * 5000)
@example("{a: " * 5000)
@example("- " * 5000)
@example("? " * 5000)
@example("&x [*x]")
def test_any_text(text):
    load(text)


@quick
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
def test_any_text_that_looks_like_yaml(text):
    load(text)


@quick
@given(
    st.integers(0, len(JOB)),
    st.integers(0, 12),
    st.lists(st.sampled_from(FRAGMENTS), max_size=3).map("".join),
)
def test_any_damage_to_a_job(start, length, inserted):
    load(JOB[:start] + inserted + JOB[start + length :])


@quick
@given(content=st.binary(max_size=80))
def test_any_bytes(content, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidJob):
        load_job(path)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**30, max_value=10**400)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.dates(min_value=dt.date(1000, 1, 1))
    | st.datetimes()
)
KEYS = st.text(max_size=5) | st.integers() | st.booleans() | st.none()
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.sets(st.integers(), max_size=3)
    ),
    max_leaves=12,
)
PATHS = st.sampled_from(
    [
        "apiVersion",
        "metadata",
        "metadata.name",
        "metadata.labels",
        "spec",
        "strategy",
        "strategy.type",
        "strategy.gossip.period",
        "strategy.gossip.topology",
        "training",
        "training.model.args",
        "training.model.name",
        "training.optimizer.betas",
        "training.optimizer.betas.1",
        "training.schedule.milestones.0",
        "training.budget",
        "training.target",
        "evaluation.every",
        "workers.replicas",
        "nonsense.here",
    ]
)


@quick
@given(PATHS, TREES)
def test_any_value_anywhere(path, tree):
    value = yaml.dump(tree, default_flow_style=True, allow_unicode=True)
    load(JOB, [f"{path}={value}"])


@quick
@given(st.lists(st.text(max_size=30) | st.lists(st.sampled_from(FRAGMENTS)).map("".join)))
def test_any_overrides(overrides):
    load(JOB, overrides)


@quick
@given(PATHS, st.sampled_from(["", ".x", ".0", ".x.y", ".-1"]), st.sampled_from(FRAGMENTS))
def test_any_override_at_a_known_path(path, deeper, value):
    load(JOB, [f"{path}{deeper}={value}"])


def test_the_undamaged_job_is_a_job():
    job = load(JOB, ["strategy.gossip.period=2"])
    assert job is not None
    assert job.spec.strategy.settings.period == 2
