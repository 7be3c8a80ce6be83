"""What `gossip topology` says about rounds, with the real algorithm objects over nothing."""

from functools import reduce
from itertools import product

import numpy as np
import pytest
import torch
from gossipers import gossipers, random_points, spread
from in_memory import World
from sampling import Sample

from gossip_trainer.algorithms.pairwise import Pairwise
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.push_gossip import PushGossip
from gossip_trainer.algorithms.push_sum import PushSum
from gossip_trainer.topology.consensus import Setting, consensus, matrices_of

KINDS = {"Pull": PullGossip, "Push": PushGossip, "Pairwise": Pairwise, "PushSum": PushSum}
WITHOUT_DRAWS = [
    ("OnePeerExponential", 8),
    ("OnePeerExponential", 6),
    ("Ring", 2),
    ("Ring", 5),
    ("Torus", 6),
    ("Exponential", 7),
    ("Hypercube", 8),
]
ALIKE = [
    ("Pull", "Complete", "Uniform"),
    ("Pull", "Complete", "UniformOthers"),
    ("Pull", "Complete", "Balanced"),
    ("PushSum", "Complete", "Uniform"),
    ("PushSum", "Complete", "UniformOthers"),
    ("PushSum", "Complete", "Balanced"),
    ("Pull", "RandomMatching", "UniformOthers"),
    ("Pairwise", "RandomMatching", "UniformOthers"),
    ("PushSum", "RandomMatching", "UniformOthers"),
]
every_exchange = pytest.mark.parametrize("exchange", KINDS)


def world_of(setting, points):
    workers = gossipers(
        KINDS[setting.exchange],
        setting.size,
        topology=setting.family,
        selection=setting.selection,
        overlap=False,
    )
    return World(workers, points)


def masses(world):
    """w z of every worker; of all but push-sum the points themselves."""
    weights = torch.tensor([worker.algorithm.weight for worker in world.workers.values()])
    return world.points * weights[:, None]


def play_at_once(world):
    """All ask, then all is taken, then all answers come."""
    for rank in world.workers:
        world.begin_step(rank)
    world.arrive_all()
    for worker in world.workers.values():  # as at the next boundary, where shares are taken in
        worker.deliver()


EXCHANGES = [
    *product(["Pull", "Pairwise", "PushSum"], WITHOUT_DRAWS),
    *product(["Pull", "PushSum"], [("Hypercube", 6)]),  # where two may propose to one at once
]


@pytest.mark.parametrize(("exchange", "graph"), EXCHANGES)
def test_rounds_without_draws_are_the_matrices_said(exchange, graph):
    family, size = graph
    setting = Setting(exchange, family, "Balanced", size)
    world = world_of(setting, random_points(size, 3))
    expected = world.points.numpy().copy()
    for matrix in 2 * list(matrices_of(setting)):
        play_at_once(world)
        expected = matrix @ expected
        assert np.allclose(masses(world).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("family", "size"), WITHOUT_DRAWS)
def test_pushes_are_averaged_by_the_matrices_said_at_the_next_boundary(family, size):
    setting = Setting("Push", family, "Balanced", size)
    world = world_of(setting, random_points(size, 3))
    play_at_once(world)
    before = world.points.numpy().copy()  # nothing had come yet
    for matrix in 2 * list(matrices_of(setting)):
        now = world.points.numpy().copy()
        play_at_once(world)
        own = np.diag(np.diag(matrix))
        assert np.allclose(world.points.numpy(), own @ now + (matrix - own) @ before, atol=1e-12)
        before = now


@pytest.mark.parametrize(("exchange", "family", "selection"), ALIKE)
@pytest.mark.parametrize("size", [5, 6])
def test_rounds_that_treat_all_alike_shrink_disagreement_as_said(exchange, family, selection, size):
    """In push-sum it is the masses' errors, w z - w mean, that shrink."""
    setting = Setting(exchange, family, selection, size)
    world = world_of(setting, torch.zeros(size, 40, dtype=torch.float64))
    generator = torch.Generator().manual_seed(size)
    shrunk = []
    for _ in range(200):
        world.points.normal_(generator=generator)
        for worker in world.workers.values():
            worker.algorithm.weight = 1.0
        start, mean = spread(world.points), world.points.mean(dim=0)
        play_at_once(world)
        if exchange == "PushSum":
            weights = torch.tensor([w.algorithm.weight for w in world.workers.values()])
            errors = masses(world) - weights[:, None] * mean
            shrunk.append(float(errors.square().sum()) / start)
        else:
            shrunk.append(spread(world.points) / start)
    assert Sample(shrunk).agrees_with(consensus(setting).contraction)


@every_exchange
def test_one_peer_exponential_with_a_power_of_two_comes_to_exact_consensus(exchange):
    setting = Setting(exchange, "OnePeerExponential", "Uniform", 8)
    assert np.allclose(reduce(np.matmul, matrices_of(setting)), 1 / 8)
    assert consensus(setting).rounds == 3
