import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gossip_trainer.compare.student import central_probability, quantile

freedoms = st.integers(1, 1000)


@given(freedoms, st.floats(0.01, 0.9999))
def test_quantiles_are_those_of_scipy(freedom, confidence):
    expected = stats.t.ppf((1 + confidence) / 2, freedom)
    assert quantile(confidence, freedom) == pytest.approx(expected, rel=1e-9)


@given(freedoms, st.floats(0.0, 50.0))
def test_probabilities_are_those_of_scipy(freedom, t):
    expected = 1 - 2 * stats.t.sf(t, freedom)
    angle = math.atan(t / math.sqrt(freedom))
    assert central_probability(angle, freedom) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262)]
)
def test_quantiles_are_those_of_the_usual_table(freedom, value):
    assert quantile(0.95, freedom) == pytest.approx(value, abs=5e-4)
