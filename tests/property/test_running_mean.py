import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gossip_trainer.evaluation.mean import RunningMean

shapes = st.tuples(st.integers(1, 8), st.integers(1, 12))
values = st.floats(-100, 100, allow_subnormal=False)


def running(rows):
    mean = RunningMean(rows.shape[1])
    for row in rows:
        mean.add(torch.from_numpy(row.copy()))
    out = torch.empty(rows.shape[1], dtype=torch.float64)
    mean.write_to_(out)
    return mean, out.numpy()


def distance(rows):
    return np.sqrt(np.square(rows - rows.mean(axis=0)).sum(axis=1).mean())


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, shapes, elements=values))
def test_mean_and_distance_agree_with_numpy(rows):
    mean, centre = running(rows)
    np.testing.assert_allclose(centre, rows.mean(axis=0), rtol=0, atol=1e-11)
    assert mean.consensus_distance == pytest.approx(distance(rows), rel=1e-9, abs=1e-11)
    assert mean.norm == pytest.approx(np.linalg.norm(rows.mean(axis=0)), rel=1e-9, abs=1e-11)


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.float32, st.integers(1, 20), elements=st.floats(-(2.0**99), 2.0**99, width=32)),
    st.integers(1, 9),
)
def test_equal_vectors_have_distance_zero_exactly(row, count):
    mean, centre = running(np.stack([row] * count))
    assert mean.consensus_distance == 0.0
    np.testing.assert_array_equal(centre, row)


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, shapes, elements=st.integers(-1000, 1000).map(float)))
def test_a_large_common_part_costs_the_distance_no_digits(rows):
    # All sums below are exact in double precision, so that only cancellation could lose digits.
    tiny = rows * 2.0**-20
    mean, _ = running(tiny + 2.0**20)
    assert mean.consensus_distance == pytest.approx(distance(tiny), rel=1e-6, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, shapes, elements=values), st.data())
def test_weighted_mean_and_distance_agree_with_their_definition(rows, data):
    weight = st.floats(2.0**-20, 4.0, allow_subnormal=False)
    weights = np.array(data.draw(st.lists(weight, min_size=len(rows), max_size=len(rows))))
    mean = RunningMean(rows.shape[1])
    for row, each in zip(rows, weights, strict=True):
        mean.add(torch.from_numpy(row.copy()), each)
    centre = weights @ rows / weights.sum()
    spread = weights @ np.square(rows - centre).sum(axis=1) / weights.sum()
    out = torch.empty(rows.shape[1], dtype=torch.float64)
    mean.write_to_(out)
    np.testing.assert_allclose(out.numpy(), centre, rtol=0, atol=1e-9)
    assert mean.consensus_distance == pytest.approx(np.sqrt(spread), rel=1e-6, abs=1e-7)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, shapes, elements=values), st.floats(2.0**-20, 2.0**20))
def test_only_the_ratios_of_the_weights_count(rows, factor):
    plain, scaled = RunningMean(rows.shape[1]), RunningMean(rows.shape[1])
    for number, row in enumerate(rows, start=1):
        plain.add(torch.from_numpy(row.copy()), number)
        scaled.add(torch.from_numpy(row.copy()), number * factor)
    assert scaled.consensus_distance == pytest.approx(plain.consensus_distance, rel=1e-6, abs=1e-7)
    assert scaled.norm == pytest.approx(plain.norm, rel=1e-9, abs=1e-9)
