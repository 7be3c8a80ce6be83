"""Mixing matrices: what one round of exchanges makes of the workers' models, X <- W X.

X has shape (n, size), one row per worker; a matrix is float64, shape (n, n). Row i says what worker
i's model consists of afterwards, column j where j's model went.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gossip_trainer.topology.families import FIXED, Peers, offsets, one_peer_exponential

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

TOLERANCE = 1e-12
NILPOTENT = 1e-6  # eigenvalues that are 0 come out this large at most, relative to the norm


def peer_law(family: str, size: int, *, with_self: bool) -> Matrix:
    """Return P: the probability that i (row) takes j (column) of its peers in a fixed graph.

    All are equally likely, and `with_self` the worker itself is one of them.
    """
    law = np.zeros((size, size))
    for place in range(size):
        chosen = FIXED[family](place, size)
        if with_self or not chosen:
            chosen = (place, *chosen)
        law[place, list(chosen)] = 1.0 / len(chosen)
    return law


def turns(family: str, size: int) -> Iterator[Matrix]:
    """Yield [j is the one whose turn it is for i] of all rounds until they repeat.

    In a fixed graph everybody takes its peers in order; nobody's turn is its own.
    """
    if family == "OnePeerExponential":
        for round_ in range(max(1, len(offsets(size)))):
            yield _choice([one_peer_exponential(place, size, round_) for place in range(size)])
        return
    peers = [FIXED[family](place, size) for place in range(size)]
    for round_ in range(math.lcm(*(len(each) for each in peers if each))):
        yield _choice([each and (each[round_ % len(each)],) for each in peers])


def pull(law: Matrix, mixing_weight: float) -> Matrix:
    """Return the expected matrix of a round in which all pull at once: (1 - b) I + b P."""
    return (1.0 - mixing_weight) * np.eye(len(law)) + mixing_weight * law


def share(out_peers: Sequence[Sequence[int]]) -> Matrix:
    """Return what push-sum does to mass: each keeps 1/(k+1) and gives as much to each of k peers.

    It is column-stochastic, and doubly so only where all receive as much as they give.
    """
    size = len(out_peers)
    matrix = np.zeros((size, size))
    for place, peers in enumerate(out_peers):
        matrix[[place, *peers], place] = 1.0 / (len(peers) + 1)
    return matrix


def is_row_stochastic(matrix: Matrix) -> bool:
    """Return whether every model becomes an average of models."""
    return bool((matrix >= -TOLERANCE).all()) and np.allclose(matrix.sum(1), 1.0, atol=TOLERANCE)


def is_column_stochastic(matrix: Matrix) -> bool:
    """Return whether mass is only moved, so that its sum stays."""
    return is_row_stochastic(matrix.T)


def is_doubly_stochastic(matrix: Matrix) -> bool:
    """Return whether every model becomes an average and the mean of all stays."""
    return is_row_stochastic(matrix) and is_column_stochastic(matrix)


def decay(rounds: Iterable[Matrix]) -> tuple[float, int]:
    """Return by how much a round shrinks differences in the long run, and the number of rounds.

    The k rounds W_1, W_2, ... repeat for ever. What is returned is the k-th root of the second
    largest absolute eigenvalue of W_k ... W_1; 0 if that is 0, and then after how many rounds no
    difference is left. For one matrix, 1 minus it is the spectral gap.
    """
    differences: Matrix | None = None
    shrunk, num_rounds = 0.0, 0
    for matrix in rounds:
        num_rounds += 1
        size = len(matrix)
        before = np.eye(size) - 1.0 / size if differences is None else differences
        after = matrix @ before
        after -= after.mean(axis=0)
        norm = float(np.linalg.norm(after))
        if norm < TOLERANCE * size:
            return 0.0, num_rounds
        differences = after / norm  # else many rounds underflow
        shrunk += math.log(norm)
    assert differences is not None, "there is at least one round"
    slowest = float(np.abs(np.linalg.eigvals(differences)).max())
    if slowest < NILPOTENT:
        return 0.0, num_rounds
    return math.exp((shrunk + math.log(slowest)) / num_rounds), num_rounds


def _choice(chosen: Sequence[Peers]) -> Matrix:
    matrix = np.zeros((len(chosen), len(chosen)))
    for place, peer in enumerate(chosen):
        matrix[place, peer or (place,)] = 1.0
    return matrix
