import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gossip_trainer.compare.estimate import Estimate, estimate, paired

numbers = st.floats(-1e3, 1e3).map(lambda x: round(x, 6))
samples = st.lists(numbers, min_size=2, max_size=20)


@given(samples, st.floats(0.5, 0.999))
def test_an_interval_is_students(values, confidence):
    found = estimate(values, confidence)
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    expected = error * stats.t.ppf((1 + confidence) / 2, len(values) - 1)
    assert found.margin == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert (found.low, found.high) == (found.mean - found.margin, found.mean + found.margin)


def test_one_value_has_no_interval_and_excludes_nothing():
    one = estimate([3.0])
    assert one == Estimate(3.0, None)
    assert (one.low, one.high, one.excludes_zero) == (None, None, None)


@given(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=12))
def test_a_paired_difference_excludes_zero_when_the_paired_t_test_rejects(pairs):
    ours, theirs = zip(*pairs, strict=True)
    differences = np.subtract(theirs, ours)
    if np.ptp(differences) < 1e-3:  # the test's statistic is a difference of equals there
        return
    p = stats.ttest_rel(theirs, ours).pvalue
    if abs(p - 0.05) > 1e-6:
        assert paired(ours, theirs).excludes_zero == (p < 0.05)


@pytest.mark.parametrize("sign", [1, -1])
def test_zero_may_be_excluded_from_either_side(sign):
    assert estimate([sign * 1.0, sign * 1.1, sign * 0.9]).excludes_zero
    assert not estimate([sign * 1.0, sign * -1.1, sign * 0.9]).excludes_zero


def test_what_pairs_share_does_not_blur_their_difference():
    shared = [10.0, 50.0, 90.0, 130.0]
    ours, theirs = shared, [each + 1 + each / 1000 for each in shared]
    assert paired(ours, theirs).excludes_zero
    assert stats.ttest_ind(ours, theirs).pvalue > 0.9


def test_a_95_percent_interval_holds_the_truth_in_95_percent_of_the_cases():
    stream, runs = random.Random(7), 4000
    hits = 0
    for _ in range(runs):
        found = estimate([stream.gauss(5.0, 2.0) for _ in range(3)])
        hits += abs(found.mean - 5.0) <= found.margin
    error = (0.95 * 0.05 / runs) ** 0.5
    assert abs(hits / runs - 0.95) < 4.5 * error
