r"""Laws of push-sum, with the real algorithm objects over nothing.

Synchronous rounds on a graph with k out-peers and k in-peers of everyone mix with weights
1 / (k+1): z' = W z with a doubly stochastic W, and every w is 1 again after a round. The graphs
below look alike from every place, so that W is diagonal in Fourier modes m:

    ring          lambda_m = (1 + 2 cos(2 pi m / n)) / 3
    exponential   lambda_m = (1 + sum_j exp(2 pi i m 2^j / n)) / (k+1), k = ceil(log2 n), of which
                  the largest but lambda_0 has absolute value 1 - 2/(k+1) for even n
    one-peer      W_t = (I + P^(2^t)) / 2, and for n = 2^k the product of any k in a row is the
                  mean, as prod_t (1 + u^(2^t)) = (1 - u^n) / (1 - u) = 0 for all u^n = 1 but u = 1

A share arrives at the boundary after the one that sent it, where it is taken in after the step.
So that nothing is under way while workers train, the rounds below that train share nothing, and
those that share do not train. Where shares are sent at every step, k of k+1 parts of all mass are
under way during the step and take no part in it, so that the mean moves by 1 / (k+1) of it.
"""

import cmath
import math

import pytest
import torch
from gossipers import gossipers, random_points, settled, spread
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import World
from sampling import Sample

from gossip_trainer.algorithms.push_gossip import PushGossip
from gossip_trainer.algorithms.push_sum import PushSum


def pushing(points, topology, *, period=1, lr=0.0):
    workers = gossipers(PushSum, len(points), topology=topology, period=period)
    return World(workers, points, sgd={"lr": lr})


def play(world, *, rounds):
    """What is sent in a round is mixed in at the next, so that the first mixes in nothing."""
    for _ in range(rounds):
        world.play_round()
        world.arrive_all()


def weights(world):
    return [worker.algorithm.weight for worker in world.workers.values()]


def modes(n, m):
    """Cosine and sine of Fourier mode m over places, shape (n, 2)."""
    angles = 2 * math.pi * m * torch.arange(n, dtype=torch.float64) / n
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def ring_factor(n, m):
    if n == 2:
        return abs(1 + cmath.exp(1j * math.pi * m)) / 2
    return abs(1 + 2 * math.cos(2 * math.pi * m / n)) / 3


def exponential_factor(n, m):
    steps = [2**j for j in range(math.ceil(math.log2(n)))]
    return abs(1 + sum(cmath.exp(2j * math.pi * m * s / n) for s in steps)) / (len(steps) + 1)


FACTORS = {"Ring": ring_factor, "Exponential": exponential_factor}


@pytest.mark.parametrize("topology", FACTORS)
@pytest.mark.parametrize("n", [2, 5, 8, 12])
def test_a_round_shrinks_every_mode_by_its_eigenvalue(topology, n):
    for m in range(1, n):
        points = modes(n, m)
        world = pushing(points, topology)
        play(world, rounds=1)
        for _ in range(3):
            before = spread(points)
            play(world, rounds=1)
            factor = FACTORS[topology](n, m)
            assert spread(points) == pytest.approx(factor**2 * before, rel=1e-9, abs=1e-12 * n)


def test_the_slowest_mode_of_a_ring_of_eight_is_the_figure_that_was_worked_out_for_it():
    assert max(ring_factor(8, m) for m in range(1, 8)) == pytest.approx(0.80474, abs=5e-6)


@pytest.mark.parametrize("n", [4, 6, 8, 12, 32])
def test_the_slowest_mode_of_an_exponential_graph_shrinks_by_the_published_factor(n):
    slowest = max(exponential_factor(n, m) for m in range(1, n))
    assert slowest == pytest.approx(1 - 2 / (1 + math.ceil(math.log2(n))))


def take_in_all(world):
    """Let everybody take in what has arrived, so that nothing is under way."""
    world.arrive_all()
    for worker in world.workers.values():
        worker.deliver()


@pytest.mark.parametrize("n", [2, 4, 8, 16])
@pytest.mark.parametrize("offset", [0, 1, 2])
def test_as_many_one_peer_rounds_as_a_power_of_two_has_bits_average_exactly(n, offset):
    world = pushing(torch.zeros(n, 6, dtype=torch.float64), "OnePeerExponential")
    play(world, rounds=offset)
    take_in_all(world)
    world.points.copy_(random_points(n, 6))
    mean = world.points.mean(dim=0)
    play(world, rounds=n.bit_length())
    torch.testing.assert_close(world.points, mean.expand(n, 6), rtol=0, atol=1e-14)


@pytest.mark.parametrize("n", [3, 6, 12])
def test_one_peer_rounds_of_another_number_come_to_the_mean_but_not_at_once(n):
    points = random_points(n, 6)
    world, mean = pushing(points, "OnePeerExponential"), points.mean(dim=0)
    play(world, rounds=2 + math.ceil(math.log2(n)))
    assert spread(points) > 1e-6
    play(world, rounds=100)
    torch.testing.assert_close(points, mean.expand(n, 6), rtol=0, atol=1e-12)


@pytest.mark.parametrize("topology", ["Ring", "Exponential", "OnePeerExponential"])
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_in_step_every_weight_is_one_again_after_a_round(topology, n):
    world = pushing(random_points(n, 6), topology)
    play(world, rounds=5)
    take_in_all(world)
    assert weights(world) == pytest.approx([1.0] * n)


# Graphs in which some receive more than others.


ARCS = {0: (1, 2), 1: (0,), 2: (0, 3), 3: (0,)}


class Arcs:
    """Whoever a worker has an arc to; one of them drawn where only one is asked for."""

    def peers(self, view, rank, round_, stream):
        return ARCS[rank]

    def peer(self, view, rank, round_, stream):
        return ARCS[rank][int(stream.random() * len(ARCS[rank]))]


def on_arcs(kind, points, seed=1):
    workers = gossipers(kind, len(ARCS), seed=seed)
    for worker in workers:
        worker._selection = Arcs()
    return World(workers, points)


def test_where_some_receive_more_all_models_still_come_to_the_mean_and_weights_to_who_has_most():
    world = on_arcs(PushSum, random_points(4, 6))
    mean = world.points.mean(dim=0)
    play(world, rounds=100)
    torch.testing.assert_close(world.points, mean.expand(4, 6), rtol=0, atol=1e-12)
    take_in_all(world)
    # W w = w with columns 1 / (k+1): (w0, w1, w2, w3) = (1.5, 1, 0.75, 0.5) up to a factor.
    assert weights(world) == pytest.approx([1.6, 16 / 15, 0.8, 8 / 15])


def test_where_some_receive_more_push_without_weights_does_not_give_every_worker_its_share():
    shares = []
    for seed in range(300):
        world = on_arcs(PushGossip, torch.eye(4, dtype=torch.float64), seed)
        play(world, rounds=40)
        assert spread(world.points) < 1e-2
        shares.append(world.points[0].tolist())
    assert any(Sample(share).rejects(1 / 4) for share in zip(*shares, strict=True))


@settings(deadline=None)
@given(data=st.data())
def test_shares_that_are_lost_are_taken_back_so_that_all_come_to_the_mean(data):
    world = on_arcs(PushSum, random_points(4, 6))
    mean = world.points.mean(dim=0)
    for _ in range(10):
        world.play_round()
        for message in list(world.under_way):
            (world.lose if data.draw(st.booleans(), "lost") else world.arrive)(message)
    play(world, rounds=100)
    torch.testing.assert_close(world.points, mean.expand(4, 6), rtol=0, atol=1e-10)


def test_what_a_dead_worker_held_is_missed_and_the_sum_of_weights_tells():
    world = on_arcs(PushSum, random_points(4, 6))
    play(world, rounds=20)
    take_in_all(world)
    held = world.workers[3].algorithm.weight
    world.kill(3)
    assert sum(weights(world)) == pytest.approx(4 - held)
    assert held > 0.1


# Training.


def play_and_train(world, gradient):
    world.play_round()  # takes in the shares of the round before
    world.play_round(gradient)  # trains, then shares
    world.arrive_all()


def ring_variances(n, rate):
    """S after training and after mixing: every mode settles by itself."""
    kept = [ring_factor(n, m) ** 2 for m in range(1, n)]
    trained = [rate**2 / (1 - (1 - rate) ** 2 * part) for part in kept]
    return sum(trained), sum(part * v for part, v in zip(kept, trained, strict=True))


def test_sgd_on_a_ring_settles_at_the_variance_of_each_mode():
    n, rate = 8, 0.2
    world = pushing(torch.zeros(n, 3000, dtype=torch.float64), "Ring", period=2, lr=rate)
    settled(world, play_and_train, rounds=1, rate=rate)
    trained, mixed = ring_variances(n, rate)
    of_replicas = (world.points - world.points.mean(dim=0)).square().sum(dim=0)
    assert Sample(of_replicas.numpy()).agrees_with(trained)
    assert Sample(of_replicas.numpy()).rejects(mixed)
    squares = world.points.mean(dim=0).square().numpy()
    assert Sample(squares).agrees_with(rate / (n * (2 - rate)))
    world.play_round()
    of_replicas = (world.points - world.points.mean(dim=0)).square().sum(dim=0)
    assert Sample(of_replicas.numpy()).agrees_with(mixed)


@pytest.mark.parametrize(("topology", "parts"), [("OnePeerExponential", 2), ("Exponential", 4)])
def test_where_all_share_at_every_step_only_what_is_not_under_way_takes_the_step(topology, parts):
    world = pushing(torch.zeros(8, 3, dtype=torch.float64), topology, lr=0.1)
    for _ in range(5):
        world.play_round(torch.ones_like)
        world.arrive_all()
    last = float(world.points.mean())
    world.play_round(torch.ones_like)
    assert float(world.points.mean()) - last == pytest.approx(-0.1 / parts)
