import pytest

from gossip_api.topology import Topology
from gossip_trainer.algorithms.base import uniform_rank
from gossip_trainer.algorithms.selection import PeerSelection


class Given:
    """A stream that always gives this number."""

    def __init__(self, number):
        self._number = number

    def random(self):
        return self._number


class Never:
    """A stream nobody may draw from."""

    def random(self):
        raise AssertionError("nothing is to be drawn")


FIRST, LAST = Given(0.0), Given(1.0 - 2.0**-53)
FAMILIES = ["Complete", "Ring", "Torus", "Hypercube", "Exponential"]
CHANGING = ["OnePeerExponential", "RandomMatching"]


def choose(topology="Complete", selection="Uniform", seed=1):
    return PeerSelection(Topology(type=topology), selection, seed)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_the_largest_number_a_stream_can_give_is_the_last_rank(view_of, size):
    assert uniform_rank(LAST, view_of(*range(size))) == size - 1


def test_uniform_in_a_complete_graph_may_draw_the_worker_itself(view_of):
    view = view_of(3, 5, 9)
    drawn = [choose().peer(view, 5, 0, Given(number)) for number in (0.0, 0.4, 0.9)]
    assert drawn == [3, 5, 9]


@pytest.mark.parametrize("topology", FAMILIES[1:])
def test_uniform_in_a_graph_draws_the_worker_itself_or_an_out_peer(view_of, own_stream, topology):
    view, stream = view_of(*range(8)), own_stream(0)
    peers = choose(topology).peers(view, 2, 0, stream)
    assert choose(topology).peer(view, 2, 0, FIRST) == 2
    drawn = {choose(topology).peer(view, 2, 0, stream) for _ in range(200)}
    assert drawn == {2, *peers}


@pytest.mark.parametrize("topology", FAMILIES)
def test_uniform_others_never_draws_the_worker_itself(view_of, own_stream, topology):
    choice, view, stream = choose(topology, "UniformOthers"), view_of(*range(6)), own_stream(0)
    assert 4 not in {choice.peer(view, 4, 0, stream) for _ in range(200)}


@pytest.mark.parametrize("topology", FAMILIES)
def test_balanced_draws_nothing_as_all_must_draw_alike(view_of, topology):
    choice = choose(topology, "Balanced")
    assert choice.peer(view_of(*range(6)), 4, 3, Never()) in range(6)


def test_balanced_in_a_fixed_graph_takes_its_peers_in_turn(view_of):
    choice, view = choose("Ring", "Balanced"), view_of(*range(5))
    assert [choice.peer(view, 0, round_, Never()) for round_ in range(4)] == [1, 4, 1, 4]


def test_places_follow_from_the_order_of_the_live_ranks(view_of):
    choice = choose("Ring", "Balanced")
    assert choice.peer(view_of(2, 7, 40), 7, 0, Never()) == 40
    assert choice.peer(view_of(2, 7), 7, 0, Never()) == 2


@pytest.mark.parametrize("topology", CHANGING)
def test_graphs_that_leave_no_choice_draw_nothing(view_of, topology):
    choice, view = choose(topology, "UniformOthers"), view_of(*range(4))
    assert choice.peer(view, 1, 0, Never()) in {0, 2, 3}
    assert choice.peers(view, 1, 0, Never()) == (choice.peer(view, 1, 0, Never()),)


def test_one_peer_exponential_goes_round_1_2_4_places_further(view_of):
    choice, view = choose("OnePeerExponential"), view_of(*range(8))
    assert [choice.peer(view, 3, round_, Never()) for round_ in range(4)] == [4, 5, 7, 4]


def test_of_an_odd_number_one_is_matched_with_nobody(view_of):
    choice, view = choose("RandomMatching"), view_of(0, 1, 2)
    assert [choice.peer(view, rank, 0, Never()) for rank in range(3)].count(None) == 1


def test_whoever_shares_with_all_its_peers_has_one_drawn_in_a_complete_graph(view_of):
    view = view_of(*range(4))
    assert choose(selection="UniformOthers").peers(view, 0, 0, FIRST) == (1,)
    assert choose("Ring", "UniformOthers").peers(view, 0, 0, Never()) == (1, 3)


def test_a_worker_that_draws_itself_shares_with_nobody(view_of):
    assert choose().peers(view_of(*range(4)), 0, 0, FIRST) == ()


@pytest.mark.parametrize("topology", [*FAMILIES, *CHANGING])
@pytest.mark.parametrize("selection", ["Uniform", "UniformOthers", "Balanced"])
def test_alone_there_is_nobody_else_to_choose(view_of, topology, selection):
    choice, view = choose(topology, selection), view_of(6)
    assert choice.peer(view, 6, 5, FIRST) in {None, 6}
    assert choice.peers(view, 6, 5, FIRST) == ()
