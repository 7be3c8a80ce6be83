import math
from functools import reduce

import numpy as np
import pytest

from gossip_trainer.topology.families import FIXED
from gossip_trainer.topology.mixing import (
    decay,
    is_column_stochastic,
    is_doubly_stochastic,
    is_row_stochastic,
    peer_law,
    pull,
    share,
    turns,
)

REGULAR = ("Complete", "Ring", "Torus", "Exponential")


def shares(family, size):
    return share([FIXED[family](place, size) for place in range(size)])


def slowest(matrix):
    factor, num_rounds = decay([matrix])
    assert num_rounds == 1
    return factor


def test_every_peer_is_as_likely_as_the_worker_itself_or_the_worker_is_not_drawn():
    third = 1 / 3
    assert np.allclose(peer_law("Ring", 4, with_self=True)[0], [third, third, 0, third])
    assert np.allclose(peer_law("Ring", 4, with_self=False)[0], [0, 0.5, 0, 0.5])


def test_one_worker_draws_itself():
    assert peer_law("Ring", 1, with_self=False).tolist() == [[1.0]]


@pytest.mark.parametrize("family", FIXED)
@pytest.mark.parametrize("size", [1, 2, 5, 6, 8, 12])
def test_pulls_make_averages_and_shares_move_mass(family, size):
    law = peer_law(family, size, with_self=True)
    assert is_row_stochastic(pull(law, 0.3))
    assert is_column_stochastic(shares(family, size))


@pytest.mark.parametrize("family", REGULAR)
@pytest.mark.parametrize("size", [2, 5, 6, 8, 12])
def test_graphs_that_look_alike_everywhere_keep_the_mean(family, size):
    assert is_doubly_stochastic(pull(peer_law(family, size, with_self=False), 0.5))
    assert is_doubly_stochastic(shares(family, size))


def test_a_hypercube_with_missing_places_does_not_keep_the_mean():
    assert not is_doubly_stochastic(shares("Hypercube", 6))
    assert not is_row_stochastic(shares("Hypercube", 6))
    assert not is_column_stochastic(pull(peer_law("Hypercube", 6, with_self=True), 0.5))


def test_negative_weights_make_no_average():
    assert not is_row_stochastic(np.array([[1.5, -0.5], [0.0, 1.0]]))


@pytest.mark.parametrize("size", [3, 4, 8, 9, 20])
def test_a_ring_with_weights_of_one_third_mixes_as_its_closed_form(size):
    """lambda_k = (1 + 2 cos(2 pi k / n)) / 3; the largest but for k = 0 in absolute value."""
    expected = max(abs(1 + 2 * math.cos(2 * math.pi * k / size)) / 3 for k in range(1, size))
    assert slowest(shares("Ring", size)) == pytest.approx(expected, abs=1e-9)


def test_a_ring_of_eight_mixes_by_what_is_known():
    assert slowest(shares("Ring", 8)) == pytest.approx(0.80474, abs=1e-5)


@pytest.mark.parametrize("size", [4, 6, 8, 10, 12, 16, 30, 32, 64])
def test_the_exponential_graph_mixes_by_what_is_proven_for_even_numbers(size):
    """Ying et al. 2021: 1 - 2 / (1 + ceil(log2 n))."""
    expected = 1 - 2 / (1 + math.ceil(math.log2(size)))
    assert slowest(shares("Exponential", size)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("num_bits", [1, 2, 3, 4, 5])
def test_a_hypercube_mixes_as_its_closed_form(num_bits):
    """lambda = 1 - 2 k / (d + 1), k = 1 .. d."""
    expected = max(abs(1 - 2 * k / (num_bits + 1)) for k in range(1, num_bits + 1))
    assert slowest(shares("Hypercube", 2**num_bits)) == pytest.approx(expected, abs=1e-9)


def test_equal_weights_for_all_mix_at_once():
    assert slowest(shares("Complete", 7)) == pytest.approx(0.0, abs=1e-9)
    assert slowest(np.eye(1)) == 0.0


@pytest.mark.parametrize("size", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("family", ["OnePeerExponential", "Hypercube"])
def test_powers_of_two_average_exactly_after_log2_rounds(family, size):
    rounds = [pull(turn, 0.5) for turn in turns(family, size)]
    assert len(rounds) == math.log2(size)
    assert np.allclose(reduce(np.matmul, rounds), 1 / size, atol=1e-12)


def test_other_numbers_do_not_average_exactly():
    rounds = [pull(turn, 0.5) for turn in turns("OnePeerExponential", 6)]
    assert not np.allclose(reduce(np.matmul, rounds), 1 / 6, atol=1e-3)


def test_turns_go_on_until_they_repeat():
    assert len(list(turns("Ring", 5))) == 2
    assert len(list(turns("Exponential", 9))) == 4
    assert len(list(turns("Hypercube", 6))) == 6  # degrees 2 and 3
    assert [turn.tolist() for turn in turns("OnePeerExponential", 1)] == [[[1.0]]]


def test_what_many_different_rounds_leave_is_found_as_by_playing_them():
    """The turns of this graph do not commute: in the opposite order they leave less."""
    rounds = [pull(turn, 0.4) for turn in turns("Hypercube", 11)]
    differences = np.random.default_rng(1).standard_normal(11)
    norms = []
    for matrix in 40 * rounds:
        differences = matrix @ differences
        differences -= differences.mean()
        norms.append(np.linalg.norm(differences))
        differences /= norms[-1]
    later = norms[20 * len(rounds) :]  # when only the slowest is left
    played = math.exp(np.log(later).mean())
    assert decay(rounds)[0] == pytest.approx(played, abs=1e-9)
    assert decay(rounds[::-1])[0] < played - 1e-3


def test_a_hundred_rounds_that_halve_differences_are_not_taken_for_exact():
    halving = np.full((4, 4), 0.125) + np.eye(4) / 2
    assert decay([halving] * 100) == (pytest.approx(0.5), 100)


def test_rounds_that_end_all_differences_are_counted_up_to_then():
    three = [pull(turn, 0.5) for turn in turns("OnePeerExponential", 8)]
    assert decay([*three, *three]) == (0.0, 3)


def test_rounds_that_only_change_places_leave_all_differences():
    assert decay(turns("OnePeerExponential", 6))[0] == pytest.approx(1.0)
