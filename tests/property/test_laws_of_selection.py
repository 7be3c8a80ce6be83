"""Laws of the choice of peers: uniform where it is random, a permutation where it is balanced."""

from collections import Counter
from random import Random

import pytest
from gossipers import gossipers
from scipy.stats import chisquare

from gossip_api.topology import Topology
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.seeding import derive_seed

# p > 0.001: of 1000 correct implementations one would fail, but the seeds are fixed.
LEAST_P = 1e-3
REGULAR = ["Complete", "Ring", "Torus", "Exponential"]


def view_of(*ranks):
    return make_view(1, dict.fromkeys(ranks, 0))


def choose(selection, n, rounds, *, topology="Complete", seed=1):
    """Whom each of `n` workers chooses in every round; a list of rounds."""
    choice = PeerSelection(Topology(type=topology), selection, seed)
    streams = [Random(derive_seed(seed, "peers", rank, 0)) for rank in range(n)]
    view = view_of(*range(n))
    return [
        [choice.peer(view, rank, round_, streams[rank]) for rank in range(n)]
        for round_ in range(rounds)
    ]


def is_uniform(drawn, cells):
    counts = Counter(drawn)
    assert set(counts) <= set(cells)
    return chisquare([counts[cell] for cell in cells]).pvalue > LEAST_P


@pytest.mark.parametrize("n", [2, 3, 8])
def test_uniform_takes_everyone_equally_often_itself_included(n):
    rounds = choose("Uniform", n, 3000)
    assert all(is_uniform([r[rank] for r in rounds], range(n)) for rank in range(n))


@pytest.mark.parametrize("n", [3, 8])
def test_uniform_others_takes_everyone_else_equally_often(n):
    rounds = choose("UniformOthers", n, 3000)
    for rank in range(n):
        others = [other for other in range(n) if other != rank]
        assert is_uniform([r[rank] for r in rounds], others)


def test_the_test_of_uniformity_tells_whether_a_worker_draws_itself():
    drawn = [r[0] for r in choose("UniformOthers", 8, 3000)]
    assert not is_uniform(drawn, range(8))


@pytest.mark.parametrize("selection", ["Uniform", "UniformOthers"])
def test_two_workers_choose_independently_of_each_other(selection):
    rounds = choose(selection, 4, 4000)
    pairs = [(r[0], r[1]) for r in rounds]
    first, second = ({pair[end] for pair in pairs} for end in (0, 1))
    assert is_uniform(pairs, [(a, b) for a in sorted(first) for b in sorted(second)])


@pytest.mark.parametrize("topology", REGULAR)
@pytest.mark.parametrize("n", [2, 3, 6, 8])
def test_balanced_is_a_permutation_in_every_round_and_nobody_chooses_itself(topology, n):
    for chosen in choose("Balanced", n, 30, topology=topology):
        assert sorted(chosen) == list(range(n))
        assert all(peer != rank for rank, peer in enumerate(chosen))


@pytest.mark.parametrize("n", [3, 8])
def test_over_many_rounds_balanced_takes_everyone_else_equally_often(n):
    rounds = choose("Balanced", n, 3000)
    for rank in range(n):
        others = [other for other in range(n) if other != rank]
        assert is_uniform([r[rank] for r in rounds], others)


@pytest.mark.parametrize("n", [4, 7])
def test_a_random_matching_pairs_everyone_equally_often_and_leaves_one_of_an_odd_number_out(n):
    rounds = choose("Uniform", n, 3000, topology="RandomMatching")
    for chosen in rounds:
        assert chosen.count(None) == n % 2
        assert all(peer is None or chosen[peer] == rank for rank, peer in enumerate(chosen))
    others = [other for other in range(n) if other != 1] + [None] * (n % 2)
    assert is_uniform([r[1] for r in rounds], others)


def test_workers_of_another_job_are_matched_otherwise():
    assert choose("Balanced", 8, 20) != choose("Balanced", 8, 20, seed=2)


@pytest.mark.parametrize("selection", ["Uniform", "UniformOthers", "Balanced"])
def test_the_same_seed_chooses_the_same_again(selection):
    assert choose(selection, 6, 50) == choose(selection, 6, 50)


def test_whoever_replaces_a_worker_chooses_by_a_stream_of_its_own():
    first, again = (Random(derive_seed(1, "peers", 2, incarnation)) for incarnation in (0, 1))
    (worker,) = gossipers(PullGossip, 1)
    choice, view = worker._selection, view_of(*range(64))
    chosen = [[choice.peer(view, 2, r, stream) for r in range(50)] for stream in (first, again)]
    assert chosen[0] != chosen[1]
