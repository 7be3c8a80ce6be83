r"""Laws of elastic averaging, with real workers and servers over nothing.

Notation: p workers with points x_i, the centre c, moving rate a, learning rate e, curvature h.

The server takes one worker after the other. When it takes worker i, whose gradient was at x_i,

    d = a (x_i - c);   x_i <- x_i - d - e g(x_i);   c <- c + d                             (turn i)

so on f = h x^2 / 2 a turn is linear in z = (x_1 .. x_p, c), and a round of turns 1 .. p is the
product of their matrices, from which spectral radius and stationary covariance follow. The paper's
synchronous form takes all workers against the same c:

    x_i <- (1 - e h - a) x_i + a c;   c <- (1 - p a) c + a sum x_i

The two are one and the same for p = 1, and for p > 1 they agree to first order in a. So what the
paper says of the synchronous form is tested here with p = 1, and what holds for a round of ours
with p > 1. Fixed points on f_i = h (x - m_i)^2 / 2: c comes back after a round, so the d_i add up
to 0; no x_i moves, so d_i = -e h (x_i - m_i). Hence mean x_i = mean m_i, and
x_i = (e h m_i + a c_i) / (e h + a), where c_i is what worker i met.

Monte Carlo runs take every coordinate of x as an independent replica.
"""

from functools import reduce

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import World
from scipy.linalg import solve_discrete_lyapunov

from gossip_trainer.algorithms.effects import Shard
from gossip_trainer.algorithms.elastic_averaging import ElasticAveraging, ElasticServer
from gossip_trainer.algorithms.shards import shard_slices
from gossip_trainer.algorithms.view import make_view

SIGMAS = 4.5


def world(points, centre, rate, *, shards=1, learning_rate=0.0, period=1, overlap=False):
    """Rows of `points` are the workers' x; `points` and `centre` are changed in place."""
    n, size = points.shape
    view, parts = make_view(1, dict.fromkeys(range(n), 0)), shard_slices(size, shards)
    return World(
        [ElasticAveraging(rank, view, parts, period=period, overlap=overlap) for rank in range(n)],
        points,
        {shard: ElasticServer(centre[part], rate) for shard, part in parts.items()},
        sgd={"lr": learning_rate},
    )


def still(x):
    return torch.zeros_like(x)


def random_vectors(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def play_round(served, gradient=still):
    for rank in served.workers:
        served.step(rank, gradient)


# What is kept.


def under_way_total(served, size, shards):
    """What the centre has moved by and the workers have not yet."""
    parts, total = shard_slices(size, shards), torch.zeros(size, dtype=torch.float64)
    arrived = [m for worker in served.workers.values() for m in worker.arrived]
    for message in [*served.under_way, *arrived]:
        if message.answer is not None:
            total[parts[message.to]] += message.answer.vector
    return total


@settings(deadline=None)
@given(data=st.data())
def test_workers_centre_and_what_is_under_way_add_up_to_the_same_in_any_order(data):
    n, shards = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    rate, overlap = data.draw(st.floats(0.01, 1.0)), data.draw(st.booleans())
    size, learning_rate = 40, 0.125
    points, centre = random_vectors(n, size), random_vectors(size, seed=2)
    served = world(
        points, centre, rate, shards=shards, learning_rate=learning_rate, overlap=overlap
    )
    start = points.sum(dim=0) + centre
    for _ in range(data.draw(st.integers(1, 40))):
        free = [rank for rank, worker in served.workers.items() if not worker.is_blocked]
        moves = [*free, *served.under_way]
        move = moves[data.draw(st.integers(0, len(moves) - 1))]
        if isinstance(move, int):
            served.begin_step(move, torch.ones_like)
        else:
            served.arrive(move)
        steps = sum(worker.steps for worker in served.workers.values())
        total = points.sum(dim=0) + centre - under_way_total(served, size, shards)
        torch.testing.assert_close(total, start - learning_rate * steps, rtol=0, atol=1e-12)


@settings(deadline=None)
@given(data=st.data())
def test_however_messages_arrive_nothing_stays_under_way(data):
    points, centre = random_vectors(3, 40), random_vectors(40, seed=2)
    served = world(points, centre, 0.25, shards=2, overlap=True)
    for _ in range(3):
        for rank in served.workers:
            served.begin_step(rank, still)
        while served.under_way:
            last = len(served.under_way) - 1
            served.arrive(served.under_way[data.draw(st.integers(0, last))])
        for rank in served.workers:
            served.begin_step(rank, still)  # takes in what has arrived, after it was asked
    assert not any(worker.open for worker in served.workers.values())
    assert [worker.skipped for worker in served.workers.values()] == [3, 3, 3]
    assert [server.version for server in served.servers.values()] == [9, 9]


def test_exchanges_alone_bring_everyone_to_the_mean_of_workers_and_centre():
    points, centre = random_vectors(3, 20), random_vectors(20, seed=2)
    served, mean = world(points, centre, 0.3), (points.sum(dim=0) + centre) / 4
    for _ in range(120):
        play_round(served)
    torch.testing.assert_close(points, mean.expand_as(points))
    torch.testing.assert_close(centre, mean)


# What one exchange and one round do.


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.9])
def test_an_exchange_shrinks_the_gap_between_worker_and_centre_by_one_minus_twice_the_rate(rate):
    points, centre = random_vectors(1, 20), random_vectors(20, seed=2)
    gap = points[0] - centre
    play_round(world(points, centre, rate))
    torch.testing.assert_close(points[0] - centre, (1 - 2 * rate) * gap)


def test_with_moving_rate_one_worker_and_centre_swap():
    points, centre = random_vectors(1, 20), random_vectors(20, seed=2)
    before, met = points[0].clone(), centre.clone()
    play_round(world(points, centre, 1.0))
    torch.testing.assert_close(points[0], met)
    torch.testing.assert_close(centre, before)


@pytest.mark.parametrize("kind", [{"rate": 0.0}, {"rate": 0.5, "period": 1000}], ids=str)
def test_with_moving_rate_zero_or_an_endless_period_workers_train_alone(kind):
    points, centre = random_vectors(2, 20), random_vectors(20, seed=2)
    expected, met = points * 0.75**5, centre.clone()
    served = world(points, centre, learning_rate=0.25, **kind)
    for _ in range(5):
        play_round(served, lambda x: x)
    torch.testing.assert_close(points, expected)
    assert torch.equal(centre, met)


def test_the_gradient_is_taken_before_the_exchange():
    points, centre = random_vectors(1, 20), random_vectors(20, seed=2)
    x0, c0, learning_rate, rate = points[0].clone(), centre.clone(), 0.1, 0.3
    play_round(world(points, centre, rate, learning_rate=learning_rate), lambda x: x**3)
    expected = x0 - learning_rate * x0**3 - rate * (x0 - c0)
    torch.testing.assert_close(points[0], expected)
    late = expected + learning_rate * (x0**3 - (x0 - rate * (x0 - c0)) ** 3)
    assert (points[0] - late).abs().max() > 1e-3


def test_with_overlap_a_difference_is_subtracted_from_where_the_worker_is_by_then():
    points, centre = random_vectors(1, 20), random_vectors(20, seed=2)
    x0, c0 = points[0].clone(), centre.clone()
    served = world(points, centre, 0.3, learning_rate=0.1, overlap=True)
    served.begin_step(0, lambda x: x)
    torch.testing.assert_close(points[0], 0.9 * x0)
    served.arrive(served.under_way[0])
    served.arrive(served.under_way[0])
    served.begin_step(0, lambda x: x)
    torch.testing.assert_close(points[0], 0.81 * x0 - 0.3 * (x0 - c0))
    assert served.workers[0].skipped == 1


def turn(p, i, rate, step):
    """Turn i as a matrix on (x_1 .. x_p, c); `step` is e h."""
    matrix = np.eye(p + 1)
    matrix[i, i], matrix[i, p] = 1 - step - rate, rate
    matrix[p, i], matrix[p, p] = rate, 1 - rate
    return matrix


def round_matrix(p, rate, step):
    return reduce(lambda done, i: turn(p, i, rate, step) @ done, range(p), np.eye(p + 1))


def synchronous_matrix(p, rate, step):
    matrix = np.diag([1 - step - rate] * p + [1 - p * rate])
    matrix[:p, p], matrix[p, :p] = rate, rate
    return matrix


@pytest.mark.parametrize("p", [1, 2, 5])
@pytest.mark.parametrize(("rate", "step"), [(0.3, 0.0), (0.16, 0.2), (0.9, 1.5)])
def test_a_round_of_training_is_the_product_of_its_turns(p, rate, step):
    points, centre = random_vectors(p, 20), random_vectors(20, seed=2)
    start = torch.cat([points, centre.unsqueeze(0)])
    play_round(world(points, centre, rate, learning_rate=step), lambda x: x)
    expected = torch.from_numpy(round_matrix(p, rate, step)) @ start
    torch.testing.assert_close(torch.cat([points, centre.unsqueeze(0)]), expected)


def off_synchronous(p, rate):
    """How far a round is from the synchronous form's."""
    points, centre = random_vectors(p, 20), random_vectors(20, seed=2)
    start = torch.cat([points, centre.unsqueeze(0)])
    play_round(world(points, centre, rate, learning_rate=0.1), lambda x: x)
    synchronous = torch.from_numpy(synchronous_matrix(p, rate, 0.1)) @ start
    return float((torch.cat([points, centre.unsqueeze(0)]) - synchronous).norm())


def test_a_round_of_one_worker_is_the_papers_synchronous_round():
    assert off_synchronous(1, 0.3) < 1e-12


def test_a_round_of_more_is_the_papers_synchronous_round_to_first_order_in_the_moving_rate():
    off = [off_synchronous(5, rate) for rate in (2e-3, 1e-3)]
    assert off[1] > 0
    assert off[0] / off[1] == pytest.approx(4.0, rel=0.01)  # the rest is of second order


# Where training ends up.


def stationary(p, rate, learning_rate, *, rounds, replicas, seed=1):
    """Train on x^2 / 2 with gradient noise of variance 1; return c and the mean of all x_i."""
    generator = torch.Generator().manual_seed(seed)

    def noisy(x):
        return x + torch.randn(x.shape, generator=generator, dtype=x.dtype)

    points, centre = torch.zeros(p, replicas).double(), torch.zeros(replicas).double()
    served = world(points, centre, rate, learning_rate=learning_rate)
    for _ in range(rounds):
        play_round(served, noisy)
    return centre, points.mean(dim=0)


def variance_and_error(values):
    squares = values.square()
    return float(squares.mean()), float(squares.std()) / len(values) ** 0.5


def paper_variance(p, rate, learning_rate):
    """Of the centre of the synchronous form (h = 1, noise 1); Zhang et al. 2015, lemma 3.1.1."""
    a, c2 = learning_rate + (p + 1) * rate, learning_rate * p * rate
    root = (a * a - 4 * c2) ** 0.5
    g, f = 1 - (a - root) / 2, 1 - (a + root) / 2
    geometric = g * g / (1 - g * g) + f * f / (1 - f * f) - 2 * g * f / (1 - g * f)
    return (p * rate * learning_rate / (g - f)) ** 2 * geometric / p


def covariance(p, rate, learning_rate):
    """The stationary covariance of (x_1 .. x_p, c) after a round of ours."""
    total, noise = np.eye(p + 1), np.zeros((p + 1, p + 1))
    for i in range(p):
        matrix = turn(p, i, rate, learning_rate)
        total, noise = matrix @ total, matrix @ noise @ matrix.T
        noise[i, i] += learning_rate**2
    return solve_discrete_lyapunov(total, noise)


def test_the_centre_of_one_worker_settles_at_the_variance_the_paper_predicts():
    centre, _ = stationary(1, 0.3, 0.2, rounds=80, replicas=20_000)
    variance, error = variance_and_error(centre)
    assert abs(variance - paper_variance(1, 0.3, 0.2)) < SIGMAS * error
    assert paper_variance(1, 0.3, 0.2) == pytest.approx(covariance(1, 0.3, 0.2)[1, 1])
    plain_sgd = 0.2 / (2 - 0.2)
    assert abs(variance - plain_sgd) > 2 * SIGMAS * error


def test_the_papers_formula_gives_the_figure_that_was_worked_out_for_it():
    assert paper_variance(4, 0.2, 0.1) == pytest.approx(0.0102211, abs=5e-8)


def test_with_more_workers_centre_and_mean_settle_where_rounds_of_ours_say():
    p, rate, learning_rate = 4, 0.2, 0.4
    centre, mean = stationary(p, rate, learning_rate, rounds=80, replicas=20_000)
    expected = covariance(p, rate, learning_rate)
    variance, error = variance_and_error(centre)
    assert abs(variance - expected[p, p]) < SIGMAS * error
    assert abs(variance - paper_variance(p, rate, learning_rate)) > 2 * SIGMAS * error
    variance, error = variance_and_error(mean)
    assert abs(variance - expected[:p, :p].mean()) < SIGMAS * error


def test_different_minima_pull_workers_apart_and_keep_their_mean_at_the_mean_of_the_minima():
    p, rate, step = 3, 0.2, 0.1
    minima = torch.tensor([[-3.0], [1.0], [8.0]], dtype=torch.float64)
    points, centre = torch.zeros(p, 1).double(), torch.zeros(1).double()
    served, met = world(points, centre, rate, learning_rate=step), {}
    for _ in range(600):
        for rank in range(p):
            met[rank] = centre.clone()
            served.step(rank, lambda x, rank=rank: x - minima[rank])
    torch.testing.assert_close(points.mean(), minima.mean())
    for rank in range(p):
        expected = (step * minima[rank] + rate * met[rank]) / (step + rate)
        torch.testing.assert_close(points[rank], expected)
    assert (points - points.mean()).abs().max() > 1.0


def growth(p, rate, step, rounds):
    """How much longer (x_1 .. x_p, c) becomes in so many rounds."""
    points, centre = random_vectors(p, 4), random_vectors(4, seed=2)
    served = world(points, centre, rate, learning_rate=step)
    start = points.norm() + centre.norm()
    for _ in range(rounds):
        play_round(served, lambda x: x)
    return float((points.norm() + centre.norm()) / start)


@pytest.mark.parametrize("p", [1, 3])
@pytest.mark.parametrize("step", [0.5, 1.0, 1.5])
def test_a_round_is_stable_up_to_the_papers_bound_on_the_moving_rate_and_not_beyond(p, step):
    bound = (4 - 2 * step) / (4 - step)  # sharp for an odd number of workers
    assert growth(p, 0.98 * bound, step, rounds=400) < 0.5
    assert growth(p, 1.02 * bound, step, rounds=400) > 2.0


def test_the_rate_that_goes_with_a_synchronous_round_of_more_workers_is_no_bound_for_ours():
    # Synchronous rounds without training diverge beyond 2 / (p + 1); taking turns does not.
    p, rate = 5, 0.5
    assert max(abs(np.linalg.eigvals(synchronous_matrix(p, rate, 0.01)))) > 1.5
    assert growth(p, rate, 0.01, rounds=100) < 1.0


def test_servers_of_a_part_each_are_together_one_server():
    def train(shards):
        points, centre = random_vectors(3, 40), random_vectors(40, seed=2)
        served = world(points, centre, 0.2, shards=shards, learning_rate=0.1)
        assert list(served.servers) == [Shard(index) for index in range(shards)]
        for _ in range(10):
            play_round(served, lambda x: x)
        return torch.cat([points, centre.unsqueeze(0)])

    assert torch.equal(train(1), train(3))
