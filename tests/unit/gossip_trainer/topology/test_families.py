import pytest

from gossip_trainer.topology.families import (
    FIXED,
    matching,
    offsets,
    one_peer_exponential,
    shifted,
    torus_columns,
)

SIZES = range(1, 34)
every_family = pytest.mark.parametrize("family", FIXED)


def graph(family, size):
    return [FIXED[family](place, size) for place in range(size)]


def reached(out_peers):
    """How many can be reached from place 0."""
    seen, new = {0}, [0]
    while new:
        new = [other for place in new for other in out_peers[place] if other not in seen]
        seen.update(new)
    return len(seen)


@every_family
def test_peers_are_other_workers_none_of_them_twice(family):
    for size in SIZES:
        for place, peers in enumerate(graph(family, size)):
            assert len(set(peers)) == len(peers)
            assert set(peers) <= set(range(size)) - {place}


@every_family
def test_everybody_can_be_reached(family):
    assert [reached(graph(family, size)) for size in SIZES] == list(SIZES)


@every_family
def test_one_worker_has_nobody_and_two_have_each_other(family):
    assert graph(family, 1) == [()]
    assert graph(family, 2) == [(1,), (0,)]


@pytest.mark.parametrize("family", set(FIXED) - {"Exponential"})
def test_edges_go_both_ways(family):
    for size in SIZES:
        out_peers = graph(family, size)
        for place, peers in enumerate(out_peers):
            assert all(place in out_peers[other] for other in peers)


@pytest.mark.parametrize("family", ["Ring", "Torus", "Exponential"])
def test_the_turn_of_all_is_a_permutation(family):
    """With the peers taken in their order nobody is taken twice in a round."""
    for size in SIZES:
        turns = zip(*graph(family, size), strict=True)
        assert all(sorted(turn) == list(range(size)) for turn in turns)


def test_complete_is_everybody_else():
    assert graph("Complete", 4)[2] == (0, 1, 3)


def test_a_ring_is_the_two_beside():
    assert graph("Ring", 5)[0] == (1, 4)
    assert graph("Ring", 3)[1] == (2, 0)


def test_a_torus_is_the_four_beside_in_the_grid_nearest_to_a_square():
    assert [torus_columns(size) for size in (4, 6, 12, 16, 18)] == [2, 3, 4, 4, 6]
    assert graph("Torus", 12)[0] == (1, 3, 4, 8)  # three rows of four
    assert graph("Torus", 12)[11] == (8, 10, 3, 7)


def test_a_torus_two_wide_counts_nobody_twice():
    assert graph("Torus", 4)[0] == (1, 2)
    assert graph("Torus", 8)[0] == (1, 3, 4)


@pytest.mark.parametrize("size", [3, 5, 7, 31])
def test_a_torus_of_a_prime_number_is_a_ring(size):
    assert graph("Torus", size) == graph("Ring", size)


def test_a_hypercube_differs_in_one_bit():
    assert graph("Hypercube", 8)[5] == (4, 7, 1)


def test_a_hypercube_leaves_out_places_that_nobody_has():
    assert graph("Hypercube", 6)[2] == (3, 0)  # not 6
    assert graph("Hypercube", 6)[4] == (5, 0)


def test_exponential_is_powers_of_two_further():
    assert graph("Exponential", 8)[6] == (7, 0, 2)
    assert graph("Exponential", 6)[5] == (0, 1, 3)
    assert [len(graph("Exponential", size)[0]) for size in (2, 3, 4, 5, 8, 9)] == [1, 2, 2, 3, 3, 4]


def test_one_peer_exponential_takes_these_in_turn():
    assert [one_peer_exponential(6, 8, round_) for round_ in range(4)] == [(7,), (0,), (2,), (7,)]
    assert one_peer_exponential(0, 1, 3) == ()
    assert offsets(1) == []


def test_every_matching_is_perfect_but_for_one_of_an_odd_number():
    for size in SIZES:
        for draw in range(2 * size):
            partners = [matching(place, size, draw) for place in range(size)]
            assert sum(not partner for partner in partners) == size % 2
            for place, partner in enumerate(partners):
                assert partner != (place,)
                assert not partner or partners[partner[0]] == (place,)


def test_all_matchings_together_pair_everybody_with_everybody_once():
    for size in SIZES[1:]:
        draws = range(size - 1 + size % 2)
        met = [(place, *matching(place, size, draw)) for draw in draws for place in range(size)]
        pairs = [pair for pair in met if len(pair) == 2]
        assert len(pairs) == len(set(pairs)) == size * (size - 1)


def test_shifts_are_permutations_that_together_reach_everybody_once():
    assert shifted(0, 1, 5) == ()
    for size in SIZES[1:]:
        rounds = [[shifted(place, size, draw) for place in range(size)] for draw in range(size - 1)]
        assert all(sorted(each) == [(place,) for place in range(size)] for each in rounds)
        for place in range(size):
            others = {peer for each in rounds for peer in each[place]}
            assert others == set(range(size)) - {place}


def test_a_draw_may_be_any_number():
    draw = 2**63 - 1
    assert matching(3, 8, draw) == matching(3, 8, draw % 7)
    assert shifted(3, 8, draw) == shifted(3, 8, draw % 7)
