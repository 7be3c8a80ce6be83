"""What every strategy does, each with its own settings: real algorithms over nothing.

Workers train on f = |x - 1|^2 / 2. Where a law does not hold for a strategy, the list beside it
says why, and a test that it does not.
"""

import pytest
import torch
from gossipers import random_points, spread
from strategies import STRATEGIES, spec_of, worker_of, world_of

from gossip_trainer.algorithms.delegate import Delegate
from gossip_trainer.algorithms.effects import Fetch, Send
from gossip_trainer.algorithms.view import make_view

SIZE = 40

every_strategy = pytest.mark.parametrize("name", STRATEGIES)

# Nobody may be missing where all meet.
COLLECTIVE = ["all-reduce", "local-sgd"]
can_lose_a_worker = pytest.mark.parametrize("name", [s for s in STRATEGIES if s not in COLLECTIVE])

# The others exchange gradients, or how far workers moved, and never their models as they are.
AVERAGING = [
    name
    for name in STRATEGIES
    if name not in COLLECTIVE and not name.startswith("parameter-server")
]
averaging = pytest.mark.parametrize("name", AVERAGING)

# Where peers are drawn for one end only, the mean is kept in expectation only; balanced pulls are
# a permutation in every round, and so keep it.
ONE_SIDED = ["pull", "pull-blocking", "push"]

NOT_PLAIN_SGD_ALONE = {
    "elastic-averaging": "the centre variable holds the worker back",
    "elastic-averaging-blocking-sharded": "the centre variable holds the worker back",
    "eamsgd": "the centre variable holds the worker back",
    "parameter-server-overlap": "the gradient is computed one update behind",
    "local-sgd": "outer steps have a learning rate and a momentum of their own",
    "noloco": "outer steps have a learning rate and a momentum of their own",
}

OPTIMIZERS = {
    "sgd": {"name": "sgd", "learningRate": 0.05},
    "nesterov": {"name": "sgd", "learningRate": 0.05, "momentum": 0.9, "nesterov": True},
}


def slope(x):
    return x - 1


def noisy_slope(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return lambda x: x - 1 + torch.randn(x.shape, generator=generator, dtype=x.dtype)


def same_points(n):
    return random_points(1, SIZE).repeat(n, 1)


def train(world, rounds, gradient=slope):
    for _ in range(rounds):
        world.play_round(gradient)
        world.arrive_all()


def plain_sgd(start, rounds, optimizer):
    """The live parameter of torch's own SGD."""
    parameter = torch.nn.Parameter(start.clone())
    settings = {"lr": optimizer["learningRate"], "momentum": optimizer.get("momentum", 0.0)}
    sgd = torch.optim.SGD([parameter], nesterov=optimizer.get("nesterov", False), **settings)
    for _ in range(rounds):
        parameter.grad = slope(parameter.detach())
        sgd.step()
    return parameter.detach()


def train_alone(name, optimizer, rounds=30):
    world = world_of(spec_of(name, workers=1, training={"optimizer": optimizer}), same_points(1))
    train(world, rounds)
    return world.points[0], plain_sgd(same_points(1)[0], rounds, optimizer)


@pytest.mark.parametrize("name", [s for s in STRATEGIES if s not in NOT_PLAIN_SGD_ALONE])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_one_worker_is_plain_sgd_bit_for_bit(name, optimizer):
    alone, expected = train_alone(name, OPTIMIZERS[optimizer])
    assert torch.equal(alone, expected)


@pytest.mark.parametrize("name", NOT_PLAIN_SGD_ALONE)
def test_one_worker_is_not_plain_sgd_where_there_is_a_reason(name):
    alone, expected = train_alone(name, OPTIMIZERS["sgd"])
    assert (alone - expected).abs().max() > 1e-3


@every_strategy
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_any_number_of_workers_comes_to_the_minimum(name, n):
    world = world_of(spec_of(name, workers=n), same_points(n))
    train(world, 300)
    assert (world.points - 1).abs().max() < 0.2
    for server in world.servers.values():
        assert (server.centre.copy() - 1).abs().max() < 0.2


@averaging
@pytest.mark.parametrize("n", [4, 5])
def test_without_training_all_come_to_the_mean_they_began_with(name, n):
    world = world_of(spec_of(name, workers=n), random_points(n, SIZE))
    start, mean = spread(world.points), world.points.mean(dim=0)
    train(world, 300, gradient=None)
    assert spread(world.points) < 1e-6 * start
    moved = float((world.points.mean(dim=0) - mean).square().sum())
    if name in ONE_SIDED:
        # A round moves the mean by S / (4 n^2) at most and halves S, or nearly: far less in all
        # than S / n, what taking over the model of one worker would.
        assert 1e-6 * start < moved < 2 * start / n**2
    else:
        assert moved < 1e-6 * start


@every_strategy
def test_the_same_seed_trains_to_the_same_bits_again(name):
    def points():
        world = world_of(spec_of(name, workers=3), same_points(3))
        train(world, 25, noisy_slope())
        return world.points

    assert torch.equal(points(), points())


@pytest.mark.parametrize("name", ["pull", "push", "pairwise", "push-sum", "noloco"])
def test_another_seed_exchanges_with_others(name):
    def points(seed):
        spec = spec_of(name, workers=4, training={"seed": seed})
        world = world_of(spec, same_points(4))
        train(world, 25, noisy_slope())
        return world.points

    assert not torch.equal(points(1), points(2))


def lose_one_of_four(name, points):
    """Train for a while, and let rank 1 die while messages are under way."""
    world = world_of(spec_of(name, workers=4), points)
    train(world, 7)
    world.play_round(slope)
    world.kill(1)
    world.arrive_all()
    return world


@can_lose_a_worker
def test_when_a_worker_dies_the_others_go_on_and_come_to_the_minimum(name):
    world = lose_one_of_four(name, same_points(4))
    world.look_around()
    train(world, 250)
    assert [worker.steps for worker in world.workers.values()] == [258] * 3
    for worker in world.workers.values():
        assert (worker.live - 1).abs().max() < 0.2


@averaging
def test_whoever_takes_a_dead_workers_place_comes_to_consensus_with_the_others(name):
    world = lose_one_of_four(name, same_points(4))
    view = make_view(2, {0: 0, 1: 1, 2: 0, 3: 0})
    newcomer = worker_of(spec_of(name, workers=4), 1, view, SIZE, incarnation=1)
    world.join(newcomer, world.workers[0].x.copy() + 5.0)
    world.look_around(view)
    train(world, 300, gradient=None)
    points = torch.stack([worker.x.copy() for worker in world.workers.values()])
    assert len(points) == 4
    assert spread(points) < 1e-6


class Watched(Delegate):
    """Notes whom its algorithm turns to."""

    def __init__(self, inner):
        super().__init__(inner)
        self.parties = set()

    def note(self, effects):
        self.parties |= {e.peer for e in effects if isinstance(e, Fetch)}
        self.parties |= {e.to for e in effects if isinstance(e, Send)}
        return effects

    def on_gradient(self, x, gradient):
        return self.note(super().on_gradient(x, gradient))

    def on_step(self, x):
        return self.note(super().on_step(x))

    def on_answer(self, effect, message, x):
        return self.note(super().on_answer(effect, message, x))


@can_lose_a_worker
def test_a_worker_turns_to_members_of_its_view_and_to_servers_only(name):
    world = world_of(spec_of(name, workers=5), same_points(5))
    for worker in world.workers.values():
        worker.algorithm = Watched(worker.algorithm)
    train(world, 5)
    world.kill(2)
    world.look_around()
    watched = {rank: worker.algorithm for rank, worker in world.workers.items()}
    for algorithm in watched.values():
        algorithm.parties.clear()
    train(world, 60)
    for rank, algorithm in watched.items():
        assert algorithm.parties <= set(world.workers) - {rank} | set(world.servers)
        assert algorithm.parties
