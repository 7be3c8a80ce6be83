r"""Laws of pull gossip in expectation, with the real algorithm objects over nothing.

Notation: n workers, x_i their points, S = sum_i |x_i - xbar|^2, b the mixing weight. One number is
tested per law: a law is accepted if the mean over many independent rounds lies within `SIGMAS`
standard errors of it, the error taken from the same sample, and a rival is rejected beyond them.

Blocking mode. All pull at once from the points before the round, the worker itself included in the
draw: E[S'] = S ((1-b)^2 + b^2 - b^2/n) and E[(xbar' - xbar)^2] = b^2 S / n^2.

Overlap mode, learning rate 0, all workers at the same step. At boundary t worker i publishes
x_i(t), then mixes in what it fetched since boundary t-1, the peer's snapshot of that boundary:

    x_i(t+1) = x_i(t)                               if J_i(t-1) = i
             = (1-b) x_i(t) + b x_J(t-1)            else,  J_i(t-1) uniform on all n ranks

Write u = x(t), v = x(t-1), one coordinate each; U, V their sums over workers, P = sum u_i^2,
C = sum u_i v_i, R = sum v_i^2, and c = b (n-1)/n. The draws behind u and v are older than J(t-1),
so given u and v:

    m_i = E[x_i(t+1)] = (1-c) u_i + (b/n) (V - v_i)
    E[sum x_i(t+1)^2] = P (1 + (n-1) (1-b)^2) / n + (2 b (1-b)/n) (UV - C) + b^2 (n-1)/n R
    E[sum x_i(t+1) u_i] = (1-c) P + (b/n) (UV - C)
    E[(sum x_i(t+1))^2] = M^2 + E[sum x_i(t+1)^2] - sum m_i^2      with M = (1-c) U + c V,
        sum m_i^2 = (1-c)^2 P + 2 (1-c) (b/n) (UV - C) + (b/n)^2 ((n-2) V^2 + R)
    E[U(t+1) U] = M U

The last line but two holds because workers draw independently of each other. All of it is linear in
(P, C, R, U^2, UV, V^2), so that expectations follow a linear recursion of second order, and
E[S(t)] = P - U^2/n.
"""

import random
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from gossip_trainer.algorithms.effects import Fetch, Message, Wait
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.seeding import derive_seed

SIGMAS = 4.5
CASES = [(4, 0.5), (4, 0.3), (8, 0.5), (8, 0.3)]


def make_workers(n, *, weight=0.5, overlap=False, seed=1):
    view = make_view(1, dict.fromkeys(range(n), 0))
    return [
        PullGossip(
            rank,
            view,
            random.Random(derive_seed(seed, "peers", rank, 0)),
            mixing_weight=weight,
            overlap=overlap,
        )
        for rank in range(n)
    ]


def blocking_round_(workers, points, step=0):
    """All publish, then each carries out its effects; rows of `points` are the workers' x."""
    published = points.clone()
    for rank, worker in enumerate(workers):
        x = Iterate(points[rank])
        match tuple(worker.on_step(x)):
            case (Fetch() as fetch, Wait(awaited)) if awaited == fetch:
                worker.on_message(fetch.peer, Message(published[fetch.peer], step), x)
            case effects:
                assert effects == (), "a draw of oneself asks for nothing"


def overlap_rounds_(workers, points, rounds):
    """Yield the points after every boundary; a fetch arrives one boundary after it began."""
    pending = [None] * len(workers)
    before = points.clone()
    for step in range(rounds):
        published = points.clone()
        for rank, worker in enumerate(workers):
            x, peer = Iterate(points[rank]), pending[rank]
            if peer is not None:
                worker.on_message(peer, Message(before[peer], step - 1), x)
            effects = tuple(worker.on_step(x))
            assert not any(isinstance(effect, Wait) for effect in effects)
            pending[rank] = effects[0].peer if effects else None
        before = published
        yield points


def spread(points):
    return float((points - points.mean(dim=0)).square().sum())


def mean_and_error(values):
    values = np.asarray(values)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


@dataclass(frozen=True)
class Rounds:
    """What many independent rounds did: S'/S, and the mean's drift in units of S / n^2."""

    spreads: list[float]
    drifts: list[float]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"n={case[0]},b={case[1]}")
def case(request):
    n, weight = request.param
    workers = make_workers(n, weight=weight)
    generator = torch.Generator().manual_seed(n)
    spreads, drifts = [], []
    for _ in range(2500):
        points = torch.randn(n, 12, generator=generator, dtype=torch.float64)
        start, mean = spread(points), points.mean(dim=0)
        blocking_round_(workers, points)
        spreads.append(spread(points) / start)
        drifts.append(float((points.mean(dim=0) - mean).square().sum()) * n**2 / start)
    return n, weight, Rounds(spreads, drifts)


def pull_law(n, b):
    return (1 - b) ** 2 + b**2 - b**2 / n


def self_excluding_law(n, b):
    return (1 - b) ** 2 + b**2 - 2 * b * (1 - b) / (n - 1) - b**2 * (n - 2) / (n - 1) ** 2


def pairwise_law(n, b):
    """One random perfect matching per round, both ends mixing; b = 1/2: (n-2) / (2 (n-1))."""
    return 1 - 2 * b * (1 - b) * n / (n - 1)


def single_pair_law(n, b):
    """One random pair per round, both ends mixing; b = 1/2: 1 - 1 / (n-1)."""
    return 1 - 4 * b * (1 - b) / (n - 1)


def test_a_round_shrinks_the_spread_as_the_law_of_pull_gossip_says(case):
    n, b, rounds = case
    mean, error = mean_and_error(rounds.spreads)
    assert abs(mean - pull_law(n, b)) < SIGMAS * error


@pytest.mark.parametrize("law", [self_excluding_law, pairwise_law, single_pair_law])
def test_a_round_does_not_follow_the_law_of_another_exchange(case, law):
    n, b, rounds = case
    mean, error = mean_and_error(rounds.spreads)
    assert abs(mean - law(n, b)) > 2 * SIGMAS * error


def test_a_round_moves_the_mean_as_far_as_the_law_says(case):
    _, b, rounds = case
    mean, error = mean_and_error(rounds.drifts)
    assert abs(mean - b**2) < SIGMAS * error


def test_a_round_does_not_keep_the_mean_as_pairwise_exchanges_do(case):
    _, _, rounds = case
    mean, error = mean_and_error(rounds.drifts)
    assert mean > 2 * SIGMAS * error


def test_the_mean_is_kept_in_expectation():
    workers, points = make_workers(4, seed=2), torch.arange(4.0, dtype=torch.float64).view(4, 1)
    moves = []
    for _ in range(2500):
        now = points.clone()
        blocking_round_(workers, now)
        moves.append(float(now.mean() - points.mean()))
    mean, error = mean_and_error(moves)
    assert abs(mean) < SIGMAS * error


def stationary(n, rounds, seed):
    """SGD on h x^2 / 2 with unit noise and one gossip round per step; S and mean^2 per round."""
    rate, curvature, coordinates = 0.2, 1.0, 24
    workers, generator = make_workers(n, seed=seed), torch.Generator().manual_seed(seed)
    points = torch.zeros(n, coordinates, dtype=torch.float64)
    spreads, squares = [], []
    for step in range(rounds + 50):
        noise = torch.randn(points.shape, generator=generator, dtype=torch.float64)
        points.sub_(rate * (curvature * points + noise))
        blocking_round_(workers, points, step)
        if step >= 50:  # the slowest mode has decayed by 0.8^100
            spreads.append(spread(points) / coordinates)
            squares.append(float(points.mean(dim=0).square().mean()))
    return np.array(spreads), np.array(squares)


def batch_means(values, batches=40):
    return mean_and_error(values.reshape(batches, -1).mean(axis=1))


def test_sgd_with_pull_gossip_settles_at_the_variance_the_theory_predicts():
    # n = 8, rate 0.2, curvature and noise 1: rho = 0.46875, S = rho 0.28 / (1 - 0.64 rho),
    # Var(xbar) = (0.04/8 + 0.25 * 0.4/64) / 0.36.
    spreads, squares = stationary(n=8, rounds=4000, seed=3)
    mean, error = batch_means(spreads)
    assert abs(mean - 0.1875) < SIGMAS * error
    for rival in (0.16, 0.149525):  # pairs matched at random; peers drawn without oneself
        assert abs(mean - rival) > 2 * SIGMAS * error
    mean, error = batch_means(squares)
    assert abs(mean - 0.0182292) < SIGMAS * error
    assert abs(mean - 0.0138889) > 2 * SIGMAS * error  # synchronous SGD, or any kept mean


def overlap_matrix(n, b):
    """One step of the second moments (P, C, R, UU, UV, VV) in overlap mode."""
    c = b * (n - 1) / n
    kept, mixed = (1 + (n - 1) * (1 - b) ** 2) / n, 2 * b * (1 - b) / n
    squares = np.array([kept, -mixed, b**2 * (n - 1) / n, 0, mixed, 0])
    cross = np.array([1 - c, -b / n, 0, 0, b / n, 0])
    own, other, product = (1 - c) ** 2, (b / n) ** 2, 2 * (1 - c) * b / n
    means = np.array([own, -product, other, 0, product, other * (n - 2)])
    total = np.array([0, 0, 0, (1 - c) ** 2, 2 * c * (1 - c), c**2]) + squares - means
    return np.array(
        [squares, cross, [1, 0, 0, 0, 0, 0], total, [0, 0, 0, 1 - c, c, 0], [0, 0, 0, 1, 0, 0]]
    )


def predicted_spreads(points, b, rounds):
    """E[S] after every boundary, from the points before the first."""
    n = len(points)
    squares, totals = float(points.square().sum()), float(points.sum(dim=0).square().sum())
    moments = np.array([squares] * 3 + [totals] * 3)  # nothing arrives at the first boundary
    spreads = [squares - totals / n]
    for _ in range(rounds - 1):
        moments = overlap_matrix(n, b) @ moments
        spreads.append(moments[0] - moments[3] / n)
    return np.array(spreads)


def overlap_spreads(points, b, rounds, runs=500):
    """S after every boundary, one row per run; each run starts from the same points."""
    workers = (make_workers(len(points), weight=b, overlap=True, seed=run) for run in range(runs))
    return [[spread(now) for now in overlap_rounds_(w, points.clone(), rounds)] for w in workers]


def random_points(n):
    generator = torch.Generator().manual_seed(n)
    return torch.randn(n, 6, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("n", "b"), CASES)
def test_overlap_mode_follows_its_own_recursion(n, b):
    points = random_points(n)
    mean, error = mean_and_error(overlap_spreads(points, b, rounds=7))
    expected = predicted_spreads(points, b, rounds=7)
    assert mean[0] == pytest.approx(expected[0])  # nothing has arrived yet
    assert np.all(np.abs(mean[1:] - expected[1:]) < SIGMAS * error[1:])


def test_overlap_mode_does_not_follow_the_law_of_blocking_mode():
    points = random_points(8)
    mean, error = mean_and_error(overlap_spreads(points, 0.5, rounds=7))
    blocking = spread(points) * pull_law(8, 0.5) ** np.arange(7)
    assert np.all(np.abs(mean[2:] - blocking[2:]) > 2 * SIGMAS * error[2:])


@pytest.mark.parametrize("overlap", [False, True])
def test_one_worker_alone_is_never_touched_by_any_arithmetic(overlap):
    (worker,) = make_workers(1, overlap=overlap)
    # Signalling bit patterns: any arithmetic, even times one plus zero, would quieten the NaN.
    bits = torch.tensor([0x7F800001, 0x00000001, 0x3F800000], dtype=torch.int32)
    live = bits.clone().view(torch.float32)
    for _ in range(50):
        assert tuple(worker.on_step(Iterate(live))) == ()
    assert torch.equal(live.view(torch.int32), bits)
