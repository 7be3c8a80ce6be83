"""Laws of pairwise exchanges, with the real algorithm objects over nothing.

Both ends of an exchange move by b of their difference: S loses 2 b (1-b) times the square of it,
twice as much as their mean square E|x_i - x_j|^2 / 2 = S / (n-1) says per exchange, and the mean
stays. So for one random pair at a time E[S'] = S (1 - 4 b (1-b) / (n-1)), and for a random perfect
matching, which is n/2 pairs, E[S'] = S (1 - 2 b (1-b) n / (n-1)).

In lockstep an exchange takes three boundaries: propose, answer, take in the answer.
"""

from random import Random

import pytest
import torch
from gossipers import gossipers, random_points, settled, shrinking
from in_memory import World
from sampling import Sample

from gossip_trainer.algorithms.pairwise import Pairwise

B = pytest.mark.parametrize("b", [0.5, 0.3])


def pairing(n, *, size=12, b=0.5, lr=0.0, overlap=True, topology="RandomMatching", seed=1):
    workers = gossipers(
        Pairwise,
        n,
        topology=topology,
        selection="UniformOthers",
        seed=seed,
        mixing_weight=b,
        overlap=overlap,
    )
    return World(workers, torch.zeros(n, size, dtype=torch.float64), sgd={"lr": lr})


def play(world, gradient=None):
    """One exchange of all; the proposals made while the answers are taken in are lost."""
    for _ in range(2):
        world.play_round(gradient)
        world.arrive_all()
        gradient = None
    world.play_round()
    while world.under_way:
        world.lose(world.under_way[0])


def matching(n, b):
    return 1 - 2 * b * (1 - b) * n / (n - 1)


def single_pair(n, b):
    return 1 - 4 * b * (1 - b) / (n - 1)


def pull(n, b):
    return (1 - b) ** 2 + b**2 - b**2 / n


@B
@pytest.mark.parametrize("n", [4, 8])
def test_a_round_of_pairs_shrinks_the_spread_as_a_random_matching_does(n, b):
    spreads, drifts = shrinking(pairing(n, b=b), play, times=600)
    sample = Sample(spreads)
    assert sample.agrees_with(matching(n, b))
    assert sample.rejects(single_pair(n, b))
    assert sample.rejects(pull(n, b))
    assert max(drifts) < 1e-24


@B
def test_one_random_pair_at_a_time_shrinks_the_spread_as_the_law_says(b):
    n, stream = 8, Random(3)
    world = pairing(n, b=b, overlap=False, topology="Complete")
    spreads, drifts = shrinking(world, lambda w: w.step(stream.randrange(n)), times=2500)
    assert Sample(spreads).agrees_with(single_pair(n, b))
    assert Sample(spreads).rejects(1 - 2 * b * (1 - b) / (n - 1))  # only one end moves
    assert max(drifts) < 1e-24


def test_two_workers_that_propose_to_each_other_at_once_meet_in_the_middle():
    world = pairing(2, topology="Complete")
    world.points.copy_(random_points(2, 12))
    mean = world.points.mean(dim=0)
    play(world)
    torch.testing.assert_close(world.points, mean.expand(2, 12), rtol=0, atol=1e-15)


@pytest.mark.parametrize("topology", ["Complete", "Ring", "Torus", "Hypercube", "Exponential"])
@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("n", [2, 7, 8])
def test_in_every_graph_and_mode_all_come_to_the_mean_that_never_moved(topology, overlap, n):
    world = pairing(n, size=6, overlap=overlap, topology=topology)
    world.points.copy_(random_points(n, 6))
    mean = world.points.mean(dim=0)
    for _ in range(150):
        world.play_round()
        world.arrive_all()
    torch.testing.assert_close(world.points, mean.expand(n, 6), rtol=0, atol=1e-4)


def test_sgd_with_pairs_settles_at_the_variance_of_synchronous_sgd():
    # As for pull gossip, with rho = 3/7 and kappa = 0: n = 8, rate 0.2.
    world = pairing(8, size=24, lr=0.2)
    spreads, squares = settled(world, play, rounds=1000, rate=0.2)
    sample = Sample(spreads, batches=40)
    assert sample.agrees_with(3 / 7 * 0.28 / (1 - 0.64 * 3 / 7))
    assert sample.rejects(0.1875)  # pull gossip
    sample = Sample(squares, batches=40)
    assert sample.agrees_with(0.2 / (8 * (2 - 0.2)))
    assert sample.rejects(0.0182292)  # pull gossip
