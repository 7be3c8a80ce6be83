r"""Laws of pull gossip in expectation, with the real algorithm objects over nothing.

Notation: n workers, x_i their points, S = sum_i |x_i - xbar|^2, b the mixing weight.

Blocking mode. All pull at once from the points before the round, the worker itself included in the
draw: E[S'] = S ((1-b)^2 + b^2 - b^2/n) and E[(xbar' - xbar)^2] = b^2 S / n^2. Without itself in the
draw, E[S'] = S ((1-b)^2 + b^2 - 2 b (1-b)/(n-1) - b^2 (n-2)/(n-1)^2), and the mean moves by
b^2 (n (n-2)/(n-1)^2) S / n^2.

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

Training. With a round that does E[S'] = rho S and E[(xbar' - xbar)^2] = kappa S / n^2 after every
SGD step on h x^2 / 2 with gradient noise of variance 1, and a = (1 - e h)^2, the spread before the
round settles at T = (n-1) e^2 / (1 - rho a), hence S at rho T and
Var(xbar) = (e^2 / n + kappa T / n^2) / (1 - a).
"""

from functools import cache

import numpy as np
import pytest
import torch
from gossipers import gossipers, random_points, settled, shrinking, spread
from in_memory import World
from sampling import Sample

from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.pull_gossip import PullGossip

CASES = [(4, 0.5), (4, 0.3), (8, 0.5), (8, 0.3)]
every_case = pytest.mark.parametrize(("n", "b"), CASES)


def pulling(n, *, size=12, b=0.5, overlap=False, selection="Uniform", seed=1, lr=0.0):
    workers = gossipers(
        PullGossip, n, selection=selection, seed=seed, mixing_weight=b, overlap=overlap
    )
    return World(workers, torch.zeros(n, size, dtype=torch.float64), sgd={"lr": lr})


def including(n, b):
    """E[S'] / S, and the mean's drift in units of S / n^2."""
    return (1 - b) ** 2 + b**2 - b**2 / n, b**2


def excluding(n, b):
    kept = (1 - b) ** 2 + b**2 - 2 * b * (1 - b) / (n - 1)
    return kept - b**2 * (n - 2) / (n - 1) ** 2, b**2 * n * (n - 2) / (n - 1) ** 2


def matching(n, b):
    """One random perfect matching per round, both ends mixing; b = 1/2: (n-2) / (2 (n-1))."""
    return 1 - 2 * b * (1 - b) * n / (n - 1), 0.0


def single_pair(n, b):
    """One random pair per round, both ends mixing; b = 1/2: 1 - 1 / (n-1)."""
    return 1 - 4 * b * (1 - b) / (n - 1), 0.0


LAWS = {"Uniform": including, "UniformOthers": excluding}


every_selection = pytest.mark.parametrize("selection", LAWS)


@cache
def rounds(n, b, selection):
    """What many independent rounds did to the spread and to the mean."""
    world = pulling(n, b=b, selection=selection)
    spreads, drifts = shrinking(world, World.play_round, times=1600, seed=n)
    return Sample(spreads), Sample(drifts)


@every_case
@every_selection
def test_a_round_shrinks_the_spread_as_the_law_of_its_selection_says(n, b, selection):
    spreads, _ = rounds(n, b, selection)
    assert spreads.agrees_with(LAWS[selection](n, b)[0])


@every_case
@every_selection
def test_a_round_does_not_follow_the_law_of_another_exchange_or_selection(n, b, selection):
    spreads, _ = rounds(n, b, selection)
    for law in {including, excluding, matching, single_pair} - {LAWS[selection]}:
        assert spreads.rejects(law(n, b)[0]), law


@every_case
@every_selection
def test_a_round_moves_the_mean_as_far_as_the_law_says_and_so_does_not_keep_it(n, b, selection):
    _, drifts = rounds(n, b, selection)
    assert drifts.agrees_with(LAWS[selection](n, b)[1])
    assert drifts.rejects(0.0)


def test_the_mean_is_kept_in_expectation():
    world = pulling(4, size=1, seed=2)
    start, moves = torch.arange(4.0, dtype=torch.float64).view(4, 1), []
    for _ in range(1200):
        world.points.copy_(start)
        world.play_round()
        moves.append(float(world.points.mean() - start.mean()))
    assert Sample(moves).agrees_with(0.0)


def test_sgd_with_pull_gossip_settles_at_the_variance_the_theory_predicts():
    # n = 8, rate 0.2, curvature and noise 1: rho = 0.46875, S = rho 0.28 / (1 - 0.64 rho),
    # Var(xbar) = (0.04/8 + 0.25 * 0.4/64) / 0.36.
    world = pulling(8, size=24, seed=3, lr=0.2)
    spreads, squares = settled(world, World.play_round, rounds=2500, rate=0.2)
    sample = Sample(spreads, batches=40)
    assert sample.agrees_with(0.1875)
    for rival in (0.16, 0.149525):  # pairs matched at random; peers drawn without oneself
        assert sample.rejects(rival)
    sample = Sample(squares, batches=40)
    assert sample.agrees_with(0.0182292)
    assert sample.rejects(0.0138889)  # synchronous SGD, or any kept mean


@pytest.mark.parametrize("sgd", [{"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}], ids=str)
def test_two_that_average_completely_after_every_step_are_synchronous_sgd(sgd):
    # Steps are linear in gradient, momentum and x, so that local momentum averages out.
    workers = gossipers(PullGossip, 2, selection="UniformOthers", overlap=False)
    world = World(workers, torch.ones(2, 6, dtype=torch.float64), sgd=sgd)
    together = torch.nn.Parameter(torch.ones(6, dtype=torch.float64))
    optimizer = torch.optim.SGD([together], **sgd)
    noise = random_points(40, 6).unbind()
    drawn = iter(noise)
    for first, second in zip(noise[::2], noise[1::2], strict=True):
        world.play_round(lambda x: x + next(drawn))
        together.grad = together.detach() + (first + second) / 2
        optimizer.step()
        torch.testing.assert_close(world.points, together.detach().expand(2, 6))


# With overlap.


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
    return spreads


def overlap_spreads(start, b, rounds, *, times):
    """S after every boundary of many independent runs; a list for every boundary."""
    runs = []
    for seed in range(times):
        world = pulling(len(start), b=b, overlap=True, seed=seed, size=start.shape[1])
        world.points.copy_(start)
        spreads = []
        for _ in range(rounds):
            world.play_round()
            world.arrive_all()
            spreads.append(spread(world.points))
        runs.append(spreads)
    return list(zip(*runs, strict=True))


@every_case
def test_overlap_mode_follows_its_own_recursion(n, b):
    start = random_points(n, 12, seed=n)
    first, *later = overlap_spreads(start, b, 5, times=200)
    expected = predicted_spreads(start, b, 5)
    assert first == pytest.approx([expected[0]] * len(first))  # nothing has arrived yet
    for values, law in zip(later, expected[1:], strict=True):
        assert Sample(values).agrees_with(law)


def test_overlap_mode_does_not_follow_the_law_of_blocking_mode():
    start = random_points(8, 12, seed=8)
    spreads = overlap_spreads(start, 0.5, 4, times=200)
    for round_ in (2, 3):
        blocking = spread(start) * including(8, 0.5)[0] ** round_
        assert Sample(spreads[round_]).rejects(blocking)


@pytest.mark.parametrize("overlap", [False, True])
def test_one_worker_alone_is_never_touched_by_any_arithmetic(overlap):
    (worker,) = gossipers(PullGossip, 1, overlap=overlap)
    # Signalling bit patterns: any arithmetic, even times one plus zero, would quieten the NaN.
    bits = torch.tensor([0x7F800001, 0x00000001, 0x3F800000], dtype=torch.int32)
    live = bits.clone().view(torch.float32)
    for _ in range(50):
        assert tuple(worker.on_step(Iterate(live))) == ()
    assert torch.equal(live.view(torch.int32), bits)
