"""Laws of compressed exchanges, with real workers and servers over nothing.

Notation of all laws: n workers with points x_i, xbar their mean, S = sum_i |x_i - xbar|^2, mixing
weight b. What is kept without compression is kept with it, to the last place and in any order,
because both ends move by what was written. What is read or sent is right on average.
"""

import pytest
import torch
from gossipers import gossipers, random_points, shrinking, spread
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import World
from sampling import SIGMAS, Sample

from gossip_api.compression import Compression
from gossip_trainer.algorithms.effects import Shard
from gossip_trainer.algorithms.elastic_averaging import ElasticAveraging, ElasticServer
from gossip_trainer.algorithms.pairwise import Pairwise
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.push_gossip import PushGossip
from gossip_trainer.algorithms.push_sum import PushSum
from gossip_trainer.algorithms.shards import shard_slices
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.compression.codec import codec_of, is_int8
from gossip_trainer.compression.excerpt import Reading

BFLOAT16 = Compression(type="BFloat16")
INT8 = Compression(type="Int8")
PLACE = 2.0**-8  # of a value in [1/2, 1): as far as rounding moves it at most, over its magnitude


def gossiping(kind, n, points, *, overlap=False, **settings_of):
    """A world of workers whose messages are rounded, each with noise of its own."""
    algorithms = gossipers(kind, n, overlap=overlap, **settings_of)
    for algorithm in algorithms:
        if kind is PullGossip:
            algorithm._reading = Reading(BFLOAT16, algorithm.rank)
        else:
            algorithm._codec = codec_of(BFLOAT16, algorithm.rank)
    return World(algorithms, points)


def elastic(points, centre, compression, *, rate=0.25, shards=1, overlap=False):
    n, size = points.shape
    view, parts = make_view(1, dict.fromkeys(range(n), 0)), shard_slices(size, shards)
    workers = [elastic_worker(rank, view, parts, compression, overlap) for rank in range(n)]
    return World(workers, points, servers(parts, centre, compression, rate))


def elastic_worker(rank, view, parts, compression, overlap):
    return ElasticAveraging(
        rank,
        view,
        parts,
        overlap=overlap,
        codec=codec_of(compression, rank),
        by_differences=is_int8(compression),
    )


def servers(parts, centre, compression, rate):
    return {
        shard: ElasticServer(centre[part], rate, codec_of(compression, 100 + shard.index))
        for shard, part in parts.items()
    }


def still(x):
    return torch.zeros_like(x)


def let_anything_happen(world, data, *, moves=40):
    """Let workers take steps and messages arrive, in any order."""
    for _ in range(data.draw(st.integers(1, moves))):
        free = [rank for rank, worker in world.workers.items() if not worker.is_blocked]
        possible = [*free, *world.under_way]
        move = possible[data.draw(st.integers(0, len(possible) - 1))]
        if isinstance(move, int):
            world.begin_step(move, still)
        else:
            world.arrive(move)


# What is kept.


def on_its_way_back(world):
    arrived = [m for worker in world.workers.values() for m in worker.arrived]
    return [m for m in [*world.under_way, *arrived] if m.answer is not None]


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_pairs_keep_the_mean_though_points_and_differences_are_rounded(data):
    points = random_points(4, 40)
    world = gossiping(Pairwise, 4, points, overlap=data.draw(st.booleans()))
    total = points.sum(dim=0)
    let_anything_happen(world, data)
    for message in on_its_way_back(world):
        total = total + world.algorithms[0]._codec.decode(message.answer.vector, points.dtype)
    torch.testing.assert_close(points.sum(dim=0), total, rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_push_sum_keeps_all_mass_though_shares_are_rounded(data):
    points = random_points(4, 40)
    world = gossiping(PushSum, 4, points, topology="Exponential", overlap=True)
    total = points.sum(dim=0)
    let_anything_happen(world, data)
    lost = [m for m in world.under_way if m.answer is None]
    if lost and data.draw(st.booleans()):
        world.lose(lost[data.draw(st.integers(0, len(lost) - 1))])
    codec = world.algorithms[0]._codec
    held = sum(w.algorithm.weight * w.x.copy() for w in world.workers.values())
    for message in [*world.under_way, *not_taken_in(world)]:
        (weight,) = message.effect.scalars
        held = held + weight * codec.decode(message.effect.vector, points.dtype)
    torch.testing.assert_close(held, total, rtol=0, atol=1e-12)


def not_taken_in(world):
    """Shares that lie with their receivers, or have come back lost, and are in nobody's model."""
    for worker in world.workers.values():
        for message in worker.arrived:
            if worker.rank == (message.rank if message.is_lost else message.to):
                yield message


@settings(deadline=None, max_examples=60)
@pytest.mark.parametrize("compression", [BFLOAT16, INT8], ids=lambda c: c.type)
@given(data=st.data())
def test_workers_centre_and_what_is_on_its_way_add_up_to_the_same(compression, data):
    n, shards = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    points, centre = random_points(n, 200), random_points(1, 200, seed=2)[0]
    world = elastic(points, centre, compression, shards=shards, overlap=data.draw(st.booleans()))
    start, parts = points.sum(dim=0) + centre, shard_slices(200, shards)
    let_anything_happen(world, data)
    moved = torch.zeros(200, dtype=torch.float64)
    for message in on_its_way_back(world):
        moved[parts[message.to]] += codec_of(compression, 0).decode(
            message.answer.vector, moved.dtype
        )
    torch.testing.assert_close(points.sum(dim=0) + centre - moved, start, rtol=0, atol=1e-12)


# What it costs.


@pytest.mark.parametrize("fragments", [2, 5])
@pytest.mark.parametrize("weight", [0.5, 0.25])
def test_a_round_of_partial_pulls_shrinks_the_spread_and_moves_the_mean_by_these_laws(
    fragments, weight
):
    n, size = 6, 50
    algorithms = gossipers(PullGossip, n, mixing_weight=weight, overlap=False)
    for algorithm in algorithms:
        partial = Compression(type="Partial", fragments=fragments)
        algorithm._reading = Reading(partial, algorithm.rank)
    world = World(algorithms, random_points(n, size))
    spreads, drifts = shrinking(world, lambda w: w.play_round(), times=800)
    # A worker reads a coordinate with probability q. Its step there is, J and fragment drawn,
    # m (x_J - x_i) b; the sum of all steps has variance b^2 S (q + q (1 - q)).
    q = 1 / fragments
    drift_law = weight**2 * q * (2 - q)
    law = 1 - q * (1 - (1 - weight) ** 2 - weight**2) - drift_law / n
    shrunk, drift = Sample(spreads), Sample(drifts)
    assert shrunk.agrees_with(law)
    assert drift.agrees_with(drift_law)
    assert drift.rejects(weight**2 * q), "that of a whole round, scaled down"


@pytest.mark.parametrize("kind", [PullGossip, PushGossip, Pairwise, PushSum])
def test_rounded_gossip_agrees_to_the_places_that_are_sent(kind):
    points = 1 + random_points(5, 400) / 8
    world = gossiping(kind, 5, points)
    for _ in range(60):
        world.play_round()
        world.arrive_all()
    apart = (points - points.mean(dim=0)).abs()
    assert float(apart.max()) < 8 * PLACE
    assert float(apart.mean()) > 1e-5, "what is rounded by chance never agrees altogether"


@pytest.mark.parametrize("kind", [PullGossip, PushGossip])
def test_rounding_moves_the_mean_of_all_by_nothing_on_average(kind):
    size = 20_000
    points = torch.full((4, size), 1 + 1 / 512, dtype=torch.float64)  # between two bfloat16
    world = gossiping(kind, 4, points)
    for _ in range(5):
        world.play_round()
        world.arrive_all()
    moved = points.mean(dim=0) - (1 + 1 / 512)
    assert float(moved.std()) > 1e-4
    assert abs(float(moved.mean())) < SIGMAS * float(moved.std()) / size**0.5


def settle(compression, rounds):
    """How far workers and centre are from their mean after so many rounds without training."""
    points, centre = random_points(3, 300), random_points(1, 300, seed=2)[0]
    world = elastic(points, centre, compression, rate=0.3)
    mean = (points.sum(dim=0) + centre) / 4
    for _ in range(rounds):
        for rank in world.workers:
            world.step(rank, still)
    return float(torch.cat([points, centre.unsqueeze(0)]).sub(mean).abs().max())


def test_differences_in_whole_numbers_lose_nothing_in_the_long_run():
    assert settle(INT8, 120) < 1e-12
    assert 1e-6 < settle(BFLOAT16, 120) < 4 * 4 * PLACE, "rounded points stay a little off"


def test_the_centre_is_the_mean_of_rounded_points_on_average():
    size = 20_000
    points = torch.full((1, size), 1 + 1 / 512, dtype=torch.float64)
    centre = torch.zeros(size, dtype=torch.float64)
    elastic(points, centre, BFLOAT16, rate=0.5).step(0, still)
    off = centre - points[0]
    assert abs(float(off.mean())) < SIGMAS * float(off.std()) / size**0.5


# When ends are new.


def spread_to_centre(world, centre):
    return max(float((worker.x.copy() - centre).abs().max()) for worker in world.workers.values())


def test_a_server_that_took_a_lost_ones_place_is_told_all_again():
    points, centre = random_points(3, 200), random_points(1, 200, seed=2)[0]
    world = elastic(points, centre, INT8)
    play(world, 5)
    world.servers[Shard(0)] = ElasticServer(centre, 0.25, codec_of(INT8, 9))
    total = points.sum(dim=0) + centre
    play(world, 1)
    assert world.servers[Shard(0)].version == 0, "it could not place what it was told"
    torch.testing.assert_close(points.sum(dim=0) + centre, total)
    play(world, 200)
    assert spread_to_centre(world, centre) < 1e-9


def test_a_worker_that_took_a_lost_ones_place_begins_from_nothing():
    points, centre = random_points(3, 200), random_points(1, 200, seed=2)[0]
    world = elastic(points, centre, INT8)
    play(world, 5)
    world.kill(1)
    view = make_view(2, {0: 0, 1: 1, 2: 0})
    newcomer = elastic_worker(1, view, shard_slices(200, 1), INT8, overlap=False)
    world.join(newcomer, centre + 5.0)
    world.look_around(view)
    before = world.servers[Shard(0)].version
    play(world, 200)
    assert world.servers[Shard(0)].version == before + 600
    assert spread_to_centre(world, centre) < 1e-9


def test_a_message_that_was_lost_was_not_said():
    points, centre = random_points(1, 200), random_points(1, 200, seed=2)[0]
    world = elastic(points, centre, INT8, overlap=True)
    play(world, 3)
    while not world.under_way:
        world.begin_step(0, still)
    world.lose(world.under_way[0])
    play(world, 150)
    assert spread_to_centre(world, centre) < 1e-9
    (server,) = world.servers.values()
    assert server.version > 70, "with overlap every other exchange is skipped here"


def play(world, rounds):
    for _ in range(rounds):
        for rank in world.workers:
            world.step(rank, still)
        world.arrive_all()


@pytest.mark.parametrize("kind", [PullGossip, PushGossip, Pairwise, PushSum])
def test_the_same_seeds_gossip_to_the_same_bits_again(kind):
    def points():
        points = random_points(4, 40)
        world = gossiping(kind, 4, points)
        for _ in range(10):
            world.play_round()
            world.arrive_all()
        assert spread(points) > 0
        return points

    assert torch.equal(points(), points())
