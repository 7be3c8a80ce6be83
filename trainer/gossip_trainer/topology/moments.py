"""By how much one round of exchanges shrinks disagreement on average, exactly.

Let S be the sum of (x_i - mean)^2 over the workers, n times the squared consensus distance. A round
is a random matrix W, drawn anew every time, and E[S'] = E[x' W' (I - J) W x] with J = 11'/n. Given
are contractions: factors rho by which E[S] shrinks per round in the long run. Where the law of W
treats all workers alike, E[W' (I - J) W] = rho (I - J), so that E[S'] = rho S holds in every round
from every start; then rho is the trace over n - 1. Learning rates play no part.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from gossip_trainer.topology.mixing import Matrix

MAX_ITERATIONS = 10_000
ROUNDING = 1e-15
PRECISION = 1e-7


@dataclass(frozen=True, slots=True)
class Moments:
    """What a round that treats all workers alike does.

    Attributes:
        contraction: E[S'] / S.
        drift: how far the mean moves: E[(mean' - mean)^2] n^2 / S; 0 where it is kept.

    """

    contraction: float
    drift: float = 0.0


def alike(size: int, square: float, column_square: float) -> Moments:
    """Return the moments of a law that treats all alike, with rows that sum to 1.

    Args:
        size: n, at least 2.
        square: E of the sum of W_ij^2 over one row.
        column_square: E[c^2] of one column's sum c; 1 where the mean is kept.

    """
    return Moments(
        contraction=size * (square - column_square / size) / (size - 1),
        drift=(column_square - 1.0) * size / (size - 1),
    )


def pull_complete(size: int, mixing_weight: float, *, with_self: bool) -> Moments:
    """Return the moments of pulls from one of all, or of the others, by all workers at once."""
    keep, take = 1.0 - mixing_weight, mixing_weight
    chance = 1.0 / size if with_self else 1.0 / (size - 1)
    away = (size - 1) * chance  # the probability that another one is drawn
    times = np.array([(size - 1) * chance, (size - 1) * chance * (1.0 + (size - 2) * chance)])
    # A column: the own row holds 1 or (1 - b), and b for each of Binomial(n - 1, chance) others.
    own, own_square = keep * away + (1 - away), keep**2 * away + (1 - away)
    return alike(
        size,
        square=away * (keep**2 + take**2) + (1 - away),
        column_square=own_square + 2 * own * take * times[0] + take**2 * times[1],
    )


def push_complete(size: int, *, with_self: bool) -> Moments:
    """Return the moments of pushes to one of all, or of the others, by all workers at once.

    Whoever gets m models takes w of its own among m + w, w = 2 if it drew itself and else 1.
    """
    chance = 1.0 / size if with_self else 1.0 / (size - 1)
    self_chance = chance if with_self else 0.0
    weights = ((1, 1.0 - self_chance), (2, self_chance))
    got = _binomial(size - 1, chance)
    square = own_square = 0.0
    for weight, probability in weights:
        total = np.arange(size) + weight
        square += probability * float(got @ ((total - weight + weight**2) / total**2))
        own_square += probability * float(got @ (weight / total) ** 2)
    # j sends to i: how much i takes of it, and how much j keeps, depend on the other n - 2.
    others = np.arange(size - 1)
    to_either = _binomial(size - 2, 2 * chance)
    taken_square = both = 0.0
    to_one = _binomial(size - 2, chance)
    for weight, probability in weights:
        taken_square += probability * float(to_one @ (1.0 / (1 + others + weight)) ** 2)
    for num, probability in enumerate(to_either):
        split = _binomial(num, 0.5)
        to_sender = np.arange(num + 1)
        to_receiver = num - to_sender
        # The receiver draws itself, the sender, or somebody else.
        for weight, extra, part in (
            (2, 0, self_chance),
            (1, 1, chance),
            (1, 0, 1.0 - self_chance - chance),
        ):
            product = 1.0 / ((to_sender + extra + 1) * (1 + to_receiver + weight))
            both += float(probability) * part * float(split @ product)
    away = 1.0 - self_chance
    return alike(size, square, own_square + away * (taken_square + 2 * both))


def shift_contraction(size: int, mixing_weight: float, *, both_ends: bool) -> float:
    """Return the contraction of rounds in which all take the one s places further, s drawn anew.

    Args:
        size: n, at least 2.
        mixing_weight: b.
        both_ends: whether both move by half of it, (1 - b) I + b/2 (P + P'), or one by all of it,
            (1 - b) I + b P. The eigenvalues of P are exp(2 pi i k s / n) in mode k.

    """
    numbers = np.arange(1, size)
    turned = np.exp(2j * np.pi * np.outer(numbers, numbers) / size)  # mode k, shift s
    taken = turned.real if both_ends else turned
    return float((np.abs(1.0 - mixing_weight + mixing_weight * taken) ** 2).mean(axis=1).max())


def matching(size: int, mixing_weight: float) -> Moments:
    """Return the moments of pairs drawn anew that move to meet; of an odd number one stays out."""
    paired = (size - size % 2) / size
    square = (1.0 - mixing_weight) ** 2 + mixing_weight**2
    return alike(size, paired * square + (1.0 - paired), 1.0)


def push_sum_complete(size: int, *, with_self: bool) -> Moments:
    """Return the moments of push-sum with one out-peer drawn of all or of the others.

    Half of every worker's mass goes; who draws itself keeps all. What shrinks is the error
    e = w z - w times the weighted mean, whose sum is 0, in E[|W e|^2] = rho |e|^2.
    """
    chance = 1.0 / size if with_self else 1.0 / (size - 1)
    away = (size - 1) * chance
    meeting = size * chance**2 if with_self else (size - 2) * chance**2
    met_own = (1.0 - away) - chance if with_self else -chance
    return Moments(contraction=0.25 * (1.0 + 2.0 * met_own + 1.0 - meeting))


def pair_contraction(law: Matrix, mixing_weight: float) -> float:
    """Return the long-run contraction of n pairwise exchanges, one after the other, on any graph.

    In each a random worker i and a peer j drawn from the law's row i move to meet: W = I - b d d'
    with d = e_i - e_j. The second moments C = E[x x'] of differences become

        C' = C - (b / n) (L C + C L) + (b^2 / n) K

    with L the Laplacian of the edges A = P + P' and K that of the edges A_ij E[(x_i - x_j)^2]. This
    map of symmetric matrices is symmetric, and its largest eigenvalue is what one exchange does.
    """
    size = len(law)
    edges = law + law.T
    laplacian = _laplacian(edges)

    def exchange(moments: Matrix) -> Matrix:
        squares = np.diag(moments)
        apart = squares + squares[:, None] - 2.0 * moments
        met = laplacian @ moments
        closer: Matrix = mixing_weight * _laplacian(edges * apart) - (met + met.T)
        return moments + mixing_weight / size * closer

    return _largest_eigenvalue(exchange, _centred(np.eye(size))) ** size


def pull_contraction(law: Matrix, mixing_weight: float) -> float:
    """Return the long-run contraction of independent pulls on a graph that looks alike everywhere.

    Seen in the eigenvectors of P, which W's mean shares, the part of S that mode k holds becomes
    |1 - b + b p_k|^2 of itself, and what the draws scatter, b^2 (1 - |p_m|^2) of every mode m, is
    spread evenly over all n modes.
    """
    size = len(law)
    modes = np.linalg.eigvals(law)
    modes = modes[np.argsort(np.abs(modes - 1.0))][1:]  # but for the mean
    kept = np.abs(1.0 - mixing_weight + mixing_weight * modes) ** 2
    scattered = np.sqrt(np.maximum(0.0, mixing_weight**2 * (1.0 - np.abs(modes) ** 2) / size))
    return float(np.linalg.eigvalsh(np.diag(kept) + np.outer(scattered, scattered))[-1])


def iterated_pull_contraction(law: Matrix, mixing_weight: float) -> float:
    """Return the same for any graph, by following the second moments C = E[x x'] of differences.

    C' = Q (M C M' + diag(v)) Q with M = (1 - b) I + b P, Q = I - J and v the variances of the
    draws, b^2 (sum_j P_ij C_jj - (P C P')_ii). Takes many rounds where differences shrink slowly.
    """
    keep, take = 1.0 - mixing_weight, mixing_weight
    moments, before = _centred(np.eye(len(law))) / (len(law) - 1), 0.0
    for _ in range(MAX_ITERATIONS):
        half = law @ moments
        drawn = half @ law.T
        scatter = take**2 * (law @ np.diag(moments) - np.diag(drawn))
        mixed = keep**2 * moments + keep * take * (half + half.T) + take**2 * drawn
        moments = _centred(mixed + np.diag(scatter))
        shrunk = float(np.trace(moments))
        if abs(shrunk - before) < PRECISION * shrunk:
            return shrunk
        moments, before = moments / shrunk, shrunk
    return before


def _largest_eigenvalue(apply: Callable[[Matrix], Matrix], start: Matrix) -> float:
    """Return that of a symmetric map, among the eigenvectors that `start` has a part of.

    By the method of Lanczos: what the map does to start, map(start), ... is a tridiagonal matrix.
    """
    direction = start / np.linalg.norm(start)
    before = np.zeros_like(direction)
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        image = apply(direction)
        diagonal.append(float((image * direction).sum()))
        image -= diagonal[-1] * direction
        if beside:
            image -= beside[-1] * before
        rest = float(np.linalg.norm(image))
        small = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        values, vectors = np.linalg.eigh(small)
        residual = rest * abs(float(vectors[-1, -1]))
        if residual < PRECISION * (1.0 - values[-1]) + ROUNDING or len(diagonal) == MAX_ITERATIONS:
            return float(values[-1])
        beside.append(rest)
        before, direction = direction, image / rest


def _laplacian(edges: Matrix) -> Matrix:
    laplacian: Matrix = np.diag(edges.sum(axis=1)) - edges
    return laplacian


def _centred(moments: Matrix) -> Matrix:
    """Return Q C Q of a symmetric C."""
    means = moments.mean(axis=0)
    centred: Matrix = moments - means - means[:, None] + means.mean()
    return centred


def _binomial(trials: int, chance: float) -> Matrix:
    """Return the probabilities of 0 .. trials hits."""
    return np.array(
        [comb(trials, k) * chance**k * (1.0 - chance) ** (trials - k) for k in range(trials + 1)]
    )
