import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gossip_api.simulation import Link, Simulation
from gossip_trainer.calibration.estimate import Computing, Estimate, LinkEstimate
from gossip_trainer.calibration.section import Found, bandwidth_text, latency_text, trace_text
from gossip_trainer.simulation.compute import read_trace


def around(value: float) -> Estimate:
    return Estimate(value, 0.9 * value, 1.1 * value)


FOUND = Found(
    Computing(steps=200, mean=around(0.0212345), jitter=around(0.0987)),
    LinkEstimate(
        pulls=40, num_bytes=1_000_000, bandwidth=around(12.05e6), latency=around(0.000123)
    ),
)


def test_what_is_printed_is_a_section_of_a_job():
    section = yaml.safe_load(FOUND.as_yaml())["simulation"]
    simulation = Simulation.model_validate(section, by_alias=True, by_name=False)

    assert simulation.compute_seconds.mean == 0.02123
    assert simulation.compute_seconds.jitter == 0.099
    assert simulation.link.bytes_per_second == pytest.approx(12.05e6)
    assert simulation.link.latency_seconds == pytest.approx(0.000123)


def test_beside_every_number_stands_how_sure_it_is():
    text = FOUND.as_yaml()

    assert "# 200 steps: 0.01911 to 0.02336 s, jitter 0.08883 to 0.1086" in text
    assert "# 40 pulls of 1 MB: 86.76 to 106 Mbps, latency 0.0001107 to 0.0001353 s" in text


def test_the_section_names_the_trace_instead_of_a_mean_if_one_was_written():
    section = yaml.safe_load(replace(FOUND, trace=Path("steps.txt")).as_yaml())["simulation"]

    assert section["computeSeconds"] == {"trace": "steps.txt"}
    Simulation.model_validate(section, by_alias=True, by_name=False)


def test_json_has_the_same_section_and_every_interval():
    document = json.loads(FOUND.as_json())

    assert document["simulation"] == yaml.safe_load(FOUND.as_yaml())["simulation"]
    assert document["computing"]["mean"]["high"] == pytest.approx(1.1 * 0.0212345)
    assert document["link"]["num_bytes"] == 1_000_000


def test_a_trace_is_read_back_as_it_was_measured(tmp_path):
    path = tmp_path / "steps.txt"
    path.write_text(trace_text([0.125, 0.0123456789]))

    assert read_trace(path) == [0.125, 0.0123456789]


@given(st.floats(min_value=1e3, max_value=1e14))
def test_a_bandwidth_is_written_as_the_job_reads_it(bytes_per_second):
    link = Link(bandwidth=bandwidth_text(bytes_per_second))

    assert link.bytes_per_second == pytest.approx(bytes_per_second, rel=1e-3)


@given(st.floats(min_value=1e-6, max_value=1e3))
def test_a_latency_is_written_as_the_job_reads_it(seconds):
    assert Link(latency=latency_text(seconds)).latency_seconds == pytest.approx(seconds, rel=1e-3)
