from dataclasses import replace

import pytest

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Rank, Shard
from gossip_trainer.membership.roster import Endpoint, Roster


def endpoint(rank, incarnation=0, role=Role.WORKER, port=4000):
    return Endpoint(role, rank, incarnation, "10.0.0.1", port)


def test_an_endpoint_knows_its_members_name_and_address():
    assert endpoint(3, 2).name == "worker-3-2"
    assert endpoint(3, 2).address == ("10.0.0.1", 4000)


def test_workers_are_listed_by_rank_and_nobody_else_is():
    roster = Roster((endpoint(2), endpoint(0, role=Role.EVALUATOR), endpoint(1)))
    assert list(roster.workers()) == [1, 2]


def test_of_two_of_one_rank_the_highest_incarnation_counts_in_whatever_order():
    old, new = endpoint(1, 0), endpoint(1, 1)
    assert Roster((old, new)).workers() == Roster((new, old)).workers() == {1: new}


def test_servers_are_listed_by_shard_and_a_party_is_found_where_it_is():
    old, new = endpoint(1, 0, Role.SERVER), endpoint(1, 1, Role.SERVER)
    roster = Roster((new, endpoint(1), old, endpoint(0, role=Role.SERVER)))
    assert list(roster.servers()) == [0, 1]
    assert roster.find(Shard(1)) == new
    assert roster.find(Rank(1)) == endpoint(1)
    assert roster.find(Rank(0)) is None
    assert roster.find(Shard(2)) is None


@pytest.mark.parametrize("closed", [{"serving": False}, {"leaving": True}])
def test_with_one_that_leaves_or_does_not_answer_nothing_new_is_begun_but_it_is_found(closed):
    gone = replace(endpoint(1), **closed)
    roster = Roster((endpoint(0), gone))
    assert list(roster.workers()) == [0]
    assert roster.find(Rank(1)) is gone


def test_a_successor_that_is_still_starting_does_not_take_its_predecessors_place():
    leaving, starting = replace(endpoint(1), leaving=True), replace(endpoint(1, 1), serving=False)
    assert Roster((leaving, starting)).find(Rank(1)) is leaving
    assert Roster((leaving, replace(starting, serving=True))).find(Rank(1)).incarnation == 1
