import math

import numpy as np
import pytest

from gossip_trainer.calibration.estimate import estimate_computing, estimate_link, median
from gossip_trainer.calibration.transfer import Transfers
from gossip_trainer.errors import RunError

BANDWIDTH, LATENCY, SIZE = 12.5e6, 2e-4, 1_000_000
PULL, ASK = 2 * LATENCY + SIZE / BANDWIDTH, 2 * LATENCY


def test_steps_that_are_all_alike_have_their_length_as_mean_and_no_jitter():
    found = estimate_computing(np.full(40, 0.25))

    assert found.steps == 40
    assert found.mean.value == found.mean.low == found.mean.high == 0.25
    assert found.jitter.value == 0.0


def test_lognormal_steps_give_back_their_parameters_within_the_interval_that_is_told():
    mean, sigma, rounds = 0.1, 0.3, 400
    generator = np.random.default_rng(1)
    hits = [0, 0]
    for _ in range(rounds):
        laps = generator.lognormal(math.log(mean) - sigma**2 / 2, sigma, size=200)
        found = estimate_computing(laps)
        hits[0] += found.mean.low <= mean <= found.mean.high
        hits[1] += found.jitter.low <= sigma <= found.jitter.high

    # 95 % of the intervals hold the truth; the number that do is binomial.
    spread = math.sqrt(rounds * 0.95 * 0.05)
    assert abs(hits[0] - 0.95 * rounds) < 4 * spread
    assert abs(hits[1] - 0.95 * rounds) < 4 * spread


def test_steps_that_come_in_slow_stretches_make_the_mean_less_certain_than_scattered_ones():
    laps = np.repeat([0.1, 0.2], 100)
    scattered = np.tile([0.1, 0.2], 100)

    slow, even = estimate_computing(laps).mean, estimate_computing(scattered).mean

    assert slow.value == pytest.approx(even.value)
    assert slow.high - slow.low > 3 * (even.high - even.low)


def test_too_few_steps_are_refused():
    with pytest.raises(RunError, match="19 steps are too few"):
        estimate_computing(np.full(19, 0.1))


def test_a_link_is_what_the_simulators_pull_would_need_to_take_as_long():
    found = estimate_link(Transfers(SIZE, (PULL,) * 5, (ASK,) * 5))

    assert found.bandwidth.value == pytest.approx(BANDWIDTH)
    assert found.latency.value == pytest.approx(LATENCY)


def test_a_pull_that_was_held_up_once_changes_nothing():
    found = estimate_link(Transfers(SIZE, (*(PULL,) * 20, 10 * PULL), (ASK,) * 21))

    assert found.bandwidth.value == pytest.approx(BANDWIDTH)


def test_the_bandwidth_lies_between_what_the_slow_and_the_fast_pulls_say():
    pulls = tuple(np.linspace(0.9, 1.1, 21) * PULL)
    found = estimate_link(Transfers(SIZE, pulls, (ASK,) * 21))

    assert SIZE / (1.1 * PULL) < found.bandwidth.low < BANDWIDTH
    assert BANDWIDTH < found.bandwidth.high < SIZE / (0.9 * PULL - ASK)


def test_a_model_that_travels_as_fast_as_nothing_tells_nothing():
    with pytest.raises(RunError, match="larger model"):
        estimate_link(Transfers(4, (ASK,) * 5, (ASK,) * 5))


def test_half_of_the_values_lie_on_each_side_of_a_median():
    found = median([5.0, 1.0, 4.0, 2.0, 3.0])

    assert (found.low, found.value, found.high) == (1.0, 3.0, 5.0)
