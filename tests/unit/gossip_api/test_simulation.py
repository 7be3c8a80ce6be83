"""What a simulation assumes: quantities, stragglers and faults, and the rules between them."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from gossip_api.errors import InvalidJob
from gossip_api.loading import parse_job
from gossip_api.simulation import ComputeSeconds, Fault, Link, Simulation

COMPUTE = {"mean": 0.1}
JOB = """\
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata: {name: a}
spec:
  strategy: {type: Gossip}
  training:
    model: {name: mlp}
    data: {name: digits}
    optimizer: {name: sgd, learningRate: 0.1}
    budget: {epochs: 1}
"""


def simulation(**changes):
    return Simulation.model_validate({"computeSeconds": COMPUTE, **changes})


@pytest.mark.parametrize(
    ("text", "bytes_per_second"),
    [("10Gbps", 1.25e9), ("2.5Gbps", 312.5e6), ("800Mbps", 1e8), ("8kbps", 1e3), ("1Tbps", 125e9)],
)
def test_a_bandwidth_is_in_bits_and_powers_of_1000(text, bytes_per_second):
    assert Link(bandwidth=text).bytes_per_second == bytes_per_second


@pytest.mark.parametrize(
    ("text", "seconds"), [("100us", 1e-4), ("0.5ms", 5e-4), ("2s", 2.0), ("0s", 0.0), ("0us", 0.0)]
)
def test_a_latency_is_a_short_time_and_may_be_none(text, seconds):
    assert Link(latency=text).latency_seconds == seconds


@pytest.mark.parametrize(
    "text", ["0Gbps", "-1Gbps", "10", "10GB", "10 Gbps", "10gbps", ".5Gbps", "1e3Mbps", "1Gbps\n"]
)
def test_other_bandwidths_are_refused(text):
    with pytest.raises(ValidationError):
        Link(bandwidth=text)


@pytest.mark.parametrize("text", ["-1us", "100", "1m", "1 ms", "1.ms", "us", "1ms\n"])
def test_other_latencies_are_refused(text):
    with pytest.raises(ValidationError):
        Link(latency=text)


@pytest.mark.parametrize("field", [{"mean": 0}, {"jitter": -0.1}, {"jitter": 4}, {"median": 1}])
def test_impossible_compute_times_are_refused(field):
    with pytest.raises(ValidationError):
        ComputeSeconds.model_validate({**COMPUTE, **field})


@pytest.mark.parametrize("distribution", ["Constant", "Exponential"])
def test_jitter_belongs_to_lognormal(distribution):
    with pytest.raises(ValidationError, match="is only for distribution Lognormal"):
        ComputeSeconds(mean=1.0, distribution=distribution, jitter=0.1)
    assert ComputeSeconds(mean=1.0, distribution=distribution, jitter=0.0)
    assert ComputeSeconds(mean=1.0, distribution="Lognormal", jitter=0.1)


def test_step_times_have_a_mean_or_come_from_a_trace():
    assert ComputeSeconds(trace="steps.txt").mean is None
    for both_or_none in ({}, {"mean": 1.0, "trace": "steps.txt"}):
        with pytest.raises(ValidationError, match="exactly one of mean and trace"):
            ComputeSeconds(**both_or_none)
    with pytest.raises(ValidationError):
        ComputeSeconds(trace="")


@pytest.mark.parametrize("field", [{"jitter": 0.1}, {"distribution": "Constant"}])
def test_a_trace_says_itself_how_steps_differ(field):
    with pytest.raises(ValidationError, match="is only for mean, because a trace says itself"):
        ComputeSeconds(trace="steps.txt", **field)
    assert ComputeSeconds(trace="steps.txt", jitter=0.0)  # as the API server fills it in


def test_a_link_is_full_duplex_unless_said_otherwise():
    assert Link().duplex == "Full"
    assert Link(duplex="Half").duplex == "Half"
    with pytest.raises(ValidationError):
        Link(duplex="half")


@pytest.mark.parametrize("what", [{}, {"crash": 1, "join": 2}, {"crash": 1, "leave": 1, "join": 1}])
def test_a_fault_is_exactly_one_thing(what):
    with pytest.raises(ValidationError, match="exactly one of crash, leave, join and restart"):
        Fault(at=timedelta(seconds=1), **what)


@pytest.mark.parametrize("what", ["crash", "leave", "join"])
def test_a_fault_names_a_rank_and_rank_0_is_one(what):
    (fault,) = simulation(faults=[{"at": "90s", what: 0}]).faults
    assert (fault.at, getattr(fault, what)) == (timedelta(seconds=90), 0)


def test_a_worker_is_a_straggler_once():
    twice = [{"worker": 1, "slowdown": 2}, {"worker": 1, "slowdown": 3}]
    with pytest.raises(ValidationError, match="every worker at most once"):
        simulation(stragglers=twice)


@pytest.mark.parametrize("slowdown", [0, -1])
def test_a_slowdown_is_above_zero(slowdown):
    with pytest.raises(ValidationError):
        simulation(stragglers=[{"worker": 1, "slowdown": slowdown}])


def test_a_job_needs_no_simulation_and_may_have_one():
    assert parse_job(JOB).spec.simulation is None
    job = parse_job(JOB + "  simulation: {computeSeconds: {mean: 1}, faults: [{at: 2s, join: 9}]}")
    assert job.spec.simulation.faults[0].join == 9
    assert job.spec.simulation.link == Link(bandwidth="10Gbps", latency="100us")


def test_a_malformed_quantity_is_told_with_its_place_and_an_example():
    text = JOB + "  simulation: {computeSeconds: {mean: 1}, link: {bandwidth: -1Gbps}}"
    with pytest.raises(InvalidJob) as caught:
        parse_job(text)
    (problem,) = caught.value.problems
    assert "spec.simulation.link.bandwidth" in str(problem)
    assert "got '-1Gbps'; must be a bandwidth above zero such as 10Gbps" in str(problem)
