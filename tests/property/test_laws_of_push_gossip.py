r"""Laws of push gossip in expectation, with the real algorithm objects over nothing.

All send at once and then average what has come:

    x_i' = (x_i + sum_j a_ij x_j) / (1 + N_i),   a_ij = [J_j = i],   N_i = sum_j a_ij

A worker that draws itself counts twice, so with every J uniform on all n ranks all a_ij are alike,
j = i included. With xbar = 0, g = 1 / (1 + N_i)^2 and h = 1 / ((1 + N_i) (1 + N_k)), i != k,

    E[sum x_i'^2]   = S (E[g] + E[N g] - E[N (N-1) g] / (n-1))
    E[(sum x_i')^2] = E[sum x_i'^2] - S (E[h] + E[N_i N_k h])  = kappa S
    E[S']           = E[sum x_i'^2] - kappa S / n,             E[(xbar' - xbar)^2] = kappa S / n^2

where N is binomial and (N_i, N_k) multinomial. Without itself in the draw the expectation is taken
by going through all draws of few workers.

A message is averaged in at the receiver's next exchange, so that a round of this law is two
exchanges here: one that sends, and one that averages, whose own messages are lost. Both get the
same draw, as whether a worker counts twice is up to the draw at which it averages.
"""

from functools import cache
from itertools import product
from random import Random

import numpy as np
import pytest
import torch
from gossipers import gossipers, settled, shrinking
from in_memory import World
from sampling import Sample
from scipy.stats import binom, multinomial

from gossip_trainer.algorithms.push_gossip import PushGossip


class Twice:
    """A stream that gives every number twice."""

    def __init__(self, seed):
        self._stream = Random(seed)
        self._last = None

    def random(self):
        last, self._last = self._last, None
        if last is None:
            last = self._last = self._stream.random()
        return last


def pushing(n, *, size=12, selection="Uniform", seed=1, lr=0.0):
    workers = gossipers(PushGossip, n, selection=selection, seed=seed, stream=Twice)
    return World(workers, torch.zeros(n, size, dtype=torch.float64), sgd={"lr": lr})


def play(world, gradient=None):
    world.play_round(gradient)
    world.arrive_all()
    world.play_round()
    while world.under_way:
        world.lose(world.under_way[0])


@cache
def law(n):
    """E[S'] / S, and the mean's drift in units of S / n^2, with all drawn uniformly."""
    count = np.arange(n + 1)
    chance = binom(n, 1 / n).pmf(count)
    g = 1 / (1 + count) ** 2
    squares = chance @ (g + count * g - count * (count - 1) * g / (n - 1))
    cross = 0.0
    for i, k in product(range(n + 1), repeat=2):
        if i + k <= n:
            both = multinomial(n, [1 / n, 1 / n, 1 - 2 / n]).pmf([i, k, n - i - k])
            cross += both * (1 + i * k) / ((1 + i) * (1 + k))
    drift = squares - cross
    return squares - drift / n, drift


@cache
def law_by_going_through_all_draws(n, *, itself):
    """The same from the rule itself, by linearity for the points (1, -1, 0, ..., 0)."""
    start = np.zeros(n)
    start[:2] = 1.0, -1.0
    spreads, drifts = [], []
    choices = [[j for j in range(n) if itself or j != i] for i in range(n)]
    for drawn in product(*choices):
        after = [
            (start[i] + sum(start[j] for j in range(n) if drawn[j] == i)) / (1 + drawn.count(i))
            for i in range(n)
        ]
        spreads.append(np.var(after) * n)
        drifts.append(np.sum(after) ** 2)
    return np.mean(spreads) / 2, np.mean(drifts) / 2


def pull_law(n):
    return (1 - 1 / (2 * n)) / 2, 0.25


@cache
def rounds(n, selection):
    spreads, drifts = shrinking(pushing(n, selection=selection), play, times=1200, seed=n)
    return Sample(spreads), Sample(drifts)


def test_the_closed_form_is_what_going_through_all_draws_gives():
    assert law(4) == pytest.approx(law_by_going_through_all_draws(4, itself=True))


@pytest.mark.parametrize("n", [4, 8])
def test_a_round_shrinks_the_spread_and_moves_the_mean_as_the_law_of_push_gossip_says(n):
    spreads, drifts = rounds(n, "Uniform")
    assert spreads.agrees_with(law(n)[0])
    assert drifts.agrees_with(law(n)[1])


@pytest.mark.parametrize("n", [4, 8])
def test_a_round_is_not_that_of_pull_gossip_and_does_not_keep_the_mean(n):
    spreads, drifts = rounds(n, "Uniform")
    assert spreads.rejects(pull_law(n)[0])
    assert drifts.rejects(pull_law(n)[1])
    assert drifts.rejects(0.0)


def test_without_itself_in_the_draw_a_round_follows_the_law_of_that_selection():
    including, excluding = (law_by_going_through_all_draws(4, itself=yes) for yes in (True, False))
    spreads, drifts = rounds(4, "UniformOthers")
    assert spreads.agrees_with(excluding[0])
    assert drifts.agrees_with(excluding[1])
    assert spreads.rejects(including[0])


def test_sgd_with_push_gossip_settles_at_the_variance_the_theory_predicts():
    # As for pull gossip, with rho and kappa from above.
    n, rate, rho, kappa = 8, 0.2, *law(8)
    before = (n - 1) * rate**2 / (1 - rho * (1 - rate) ** 2)
    spreads, squares = settled(pushing(n, size=24, lr=rate), play, rounds=1500, rate=rate)
    sample = Sample(spreads, batches=40)
    assert sample.agrees_with(rho * before)
    assert sample.rejects(0.1875)  # pull gossip
    sample = Sample(squares, batches=40)
    assert sample.agrees_with((rate**2 / n + kappa * before / n**2) / (1 - (1 - rate) ** 2))
