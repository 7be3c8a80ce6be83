"""Every formula against all that can be drawn: the matrices of a round with their probabilities."""

from itertools import product

import numpy as np
import pytest

from gossip_trainer.topology.families import matching, shifted
from gossip_trainer.topology.mixing import peer_law
from gossip_trainer.topology.moments import (
    iterated_pull_contraction,
    pair_contraction,
    pull_complete,
    pull_contraction,
    push_complete,
    push_sum_complete,
    shift_contraction,
)
from gossip_trainer.topology.moments import matching as matching_moments

both_selections = pytest.mark.parametrize("with_self", [True, False])
GRAPHS = [("Ring", 4), ("Ring", 5), ("Torus", 6), ("Exponential", 4), ("Exponential", 5)]


def draws(law):
    """All choices of all workers, with their probabilities."""
    options = [[int(j) for j in np.flatnonzero(row)] for row in law]
    for chosen in product(*options):
        yield chosen, float(np.prod([law[i, j] for i, j in enumerate(chosen)]))


def pulls(law, b):
    for chosen, probability in draws(law):
        matrix = (1 - b) * np.eye(len(law))
        for place, peer in enumerate(chosen):
            matrix[place, peer] += b
        yield matrix, probability


def pushes(law):
    for chosen, probability in draws(law):
        matrix = np.eye(len(law))
        for place, peer in enumerate(chosen):
            matrix[peer, place] += 1  # a model to oneself counts once more
        yield matrix / matrix.sum(axis=1, keepdims=True), probability


def shares(law):
    for chosen, probability in draws(law):
        matrix = np.eye(len(law)) / 2
        for place, peer in enumerate(chosen):
            matrix[peer, place] += 0.5
        yield matrix, probability


def off_centre(n):
    return np.eye(n) - 1 / n


def one_round(matrices, n):
    """E[S'] / S from every direction, and n^2 E[(mean' - mean)^2] / S."""
    centre = off_centre(n)
    spread, drift = np.zeros((n, n)), np.zeros((n, n))
    for matrix, probability in matrices:
        spread += probability * matrix.T @ centre @ matrix
        moved = centre @ matrix.sum(axis=0)
        drift += probability * np.outer(moved, moved)
    directions = np.linalg.eigvalsh(spread)[1:]  # all but the mean's
    return directions, np.linalg.eigvalsh(drift)[1:]


def long_run(matrices, n):
    """The spectral radius of C -> E[Q W C W' Q]."""
    centre = off_centre(n)
    operator = np.zeros((n, n, n, n))
    for matrix, probability in matrices:
        moved = centre @ matrix @ centre
        operator += probability * np.einsum("ij,kl->ikjl", moved, moved)
    operator = operator.reshape(n * n, n * n)
    return np.abs(np.linalg.eigvals(operator)).max()


@both_selections
@pytest.mark.parametrize(("size", "b"), [(2, 0.5), (3, 0.3), (4, 0.5), (5, 0.7)])
def test_pulls_from_all(size, b, with_self):
    law = peer_law("Complete", size, with_self=with_self)
    found = pull_complete(size, b, with_self=with_self)
    spread, drift = one_round(pulls(law, b), size)
    assert spread == pytest.approx([found.contraction] * (size - 1))
    assert drift == pytest.approx([found.drift] * (size - 1))


def test_pulls_from_all_shrink_by_what_is_known():
    assert pull_complete(8, 0.5, with_self=True).contraction == pytest.approx(0.46875)
    assert pull_complete(8, 0.5, with_self=True).drift == pytest.approx(0.25)
    assert pull_complete(8, 0.5, with_self=False).contraction == pytest.approx(0.39796, abs=1e-5)
    assert pull_complete(8, 0.5, with_self=False).drift == pytest.approx(0.2449, abs=1e-4)


@both_selections
@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_pushes_to_all(size, with_self):
    law = peer_law("Complete", size, with_self=with_self)
    found = push_complete(size, with_self=with_self)
    spread, drift = one_round(pushes(law), size)
    assert spread == pytest.approx([found.contraction] * (size - 1))
    assert drift == pytest.approx([found.drift] * (size - 1))


def test_pushes_to_all_of_many_shrink_by_one_minus_one_over_e():
    for with_self in (True, False):
        found = push_complete(500, with_self=with_self)
        assert found.contraction == pytest.approx(1 - np.exp(-1), abs=1 / 500)


@both_selections
@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_shares_to_one_of_all(size, with_self):
    law = peer_law("Complete", size, with_self=with_self)
    centre = off_centre(size)
    errors = sum(p * centre @ w.T @ w @ centre for w, p in shares(law))
    expected = push_sum_complete(size, with_self=with_self).contraction
    assert np.linalg.eigvalsh(errors)[1:] == pytest.approx([expected] * (size - 1))


@pytest.mark.parametrize("b", [0.5, 0.3])
@pytest.mark.parametrize("size", [2, 3, 4, 7, 8])
def test_matchings(size, b):
    num_draws = max(1, size - 1 + size % 2)
    matrices = []
    for draw in range(num_draws):
        matrix = np.eye(size)
        for place in range(size):
            for peer in matching(place, size, draw):
                matrix[place, [place, peer]] = 1 - b, b
        matrices.append((matrix, 1 / num_draws))
    found = matching_moments(size, b)
    spread, drift = one_round(matrices, size)
    assert spread == pytest.approx([found.contraction] * (size - 1))
    assert drift == pytest.approx([0.0] * (size - 1))
    assert found.drift == 0.0


def test_a_matching_of_eight_shrinks_by_what_is_known():
    assert matching_moments(8, 0.5).contraction == pytest.approx(6 / 14)


@pytest.mark.parametrize("b", [0.5, 0.3])
@pytest.mark.parametrize("size", [2, 3, 4, 7, 8])
@pytest.mark.parametrize("both_ends", [True, False])
def test_shifts(size, b, both_ends):
    matrices = []
    for draw in range(size - 1):
        taken = np.zeros((size, size))
        for place in range(size):
            taken[place, shifted(place, size, draw)] = 1
        taken = (taken + taken.T) / 2 if both_ends else taken
        matrices.append(((1 - b) * np.eye(size) + b * taken, 1 / (size - 1)))
    spread, _ = one_round(matrices, size)
    expected = shift_contraction(size, b, both_ends=both_ends)
    assert spread.max() == pytest.approx(expected, abs=1e-12)
    assert long_run(matrices, size) == pytest.approx(expected, abs=1e-9)


@both_selections
@pytest.mark.parametrize(("family", "size"), GRAPHS)
def test_pulls_on_a_graph_that_looks_alike_everywhere(family, size, with_self):
    law = peer_law(family, size, with_self=with_self)
    expected = long_run(pulls(law, 0.4), size)
    assert pull_contraction(law, 0.4) == pytest.approx(expected)
    assert iterated_pull_contraction(law, 0.4) == pytest.approx(expected, abs=1e-5)


@both_selections
@pytest.mark.parametrize("size", [3, 5, 6])
def test_pulls_on_a_graph_that_does_not(size, with_self):
    law = peer_law("Hypercube", size, with_self=with_self)
    expected = long_run(pulls(law, 0.4), size)
    assert iterated_pull_contraction(law, 0.4) == pytest.approx(expected, abs=1e-5)
    assert pull_contraction(law, 0.4) != pytest.approx(expected, abs=1e-4)


@both_selections
@pytest.mark.parametrize(("family", "size"), [*GRAPHS, ("Hypercube", 6), ("Complete", 4)])
def test_pairs_one_after_the_other(family, size, with_self):
    law = peer_law(family, size, with_self=with_self)
    matrices = []
    for i, j in product(range(size), repeat=2):
        edge = np.eye(size)[i] - np.eye(size)[j]
        matrices.append((np.eye(size) - 0.3 * np.outer(edge, edge), law[i, j] / size))
    expected = long_run(matrices, size) ** size
    assert pair_contraction(law, 0.3) == pytest.approx(expected)


def test_a_pair_of_all_shrinks_by_what_is_known():
    law = peer_law("Complete", 8, with_self=False)
    assert pair_contraction(law, 0.5) == pytest.approx((1 - 1 / 7) ** 8)


def test_pairs_on_a_ring_shrink_disagreement_faster_than_a_round_may_from_the_worst_start():
    """One exchange takes 2 b (1 - b) (x_i - x_j)^2 off S, least where x is the slowest mode."""
    size, law = 6, peer_law("Ring", 6, with_self=False)
    worst = (1 - (1 - np.cos(2 * np.pi / size)) / size) ** size
    assert pair_contraction(law, 0.5) < 0.8 * worst


def test_pairs_that_swap_their_models_shrink_nothing():
    law = peer_law("Torus", 6, with_self=False)
    assert pair_contraction(law, 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(("family", "b"), [("Ring", 0.5), ("Torus", 0.3), ("Complete", 0.5)])
def test_pairs_on_larger_graphs_shrink_by_the_closed_form_of_graphs_alike_along_all_edges(
    family, b
):
    """With a(r) the edges' weight by offset r and 1 - cos in the modes k of the group's characters.

    A shift-invariant C has K in the span of the edges' offsets, which leaves the largest eigenvalue
    of diag(1 - 2 b l_k / n) + 2 (b / n)^2 B B', B_kr = sqrt(a_r) (1 - cos(theta_k r)).
    """
    rows, columns = {"Ring": (1, 16), "Torus": (4, 4), "Complete": (1, 16)}[family]
    size, law = 16, peer_law(family, 16, with_self=False)
    edges = (law + law.T)[0]
    places = [divmod(place, columns) for place in range(size)]
    modes = np.array(
        [
            [1 - np.cos(2 * np.pi * (k * r / rows + m * c / columns)) for r, c in places]
            for k, m in places[1:]
        ]
    )
    weighted = modes * np.sqrt(edges)
    exchange = np.diag(1 - 2 * b / size * (modes @ edges))
    exchange += 2 * (b / size) ** 2 * weighted @ weighted.T
    expected = np.linalg.eigvalsh(exchange)[-1] ** size
    assert pair_contraction(law, b) == pytest.approx(expected)
