import pytest

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Rank, Shard
from gossip_trainer.membership.peers import Peers
from gossip_trainer.membership.roster import Endpoint, Roster


def worker(rank, incarnation=0):
    return Endpoint(Role.WORKER, rank, incarnation, "10.0.0.1", 4000 + rank)


class Source:
    """A roster that tests change."""

    def __init__(self, *endpoints):
        self.set(*endpoints)

    def set(self, *endpoints):
        self.roster = Roster(endpoints)

    def __call__(self):
        return self.roster


@pytest.fixture
def source():
    return Source(worker(0), worker(1), worker(2))


@pytest.fixture
def peers(source):
    peers = Peers(0, 0, source)
    peers.refresh(0.0)
    return peers


def ranks_at(peers, now):
    peers.refresh(now)
    return peers.view.ranks


def test_before_the_first_look_a_worker_is_alone_in_its_view(source):
    assert Peers(0, 3, source).view.members[0].incarnation == 3
    assert Peers(0, 3, source).view.ranks == (0,)


def test_the_view_has_all_workers_of_the_roster_and_the_worker_itself(source):
    source.set(worker(1), worker(2), Endpoint(Role.EVALUATOR, 0, 0, "10.0.0.1", 1))
    assert ranks_at(Peers(0, 0, source), 0.0) == (0, 1, 2)


def test_the_views_version_grows_with_every_change_and_only_then(peers, source):
    first = peers.view
    assert not peers.refresh(1.0)
    source.set(*source.roster.endpoints)  # another object of equal content
    assert not peers.refresh(2.0)
    assert peers.view is first
    source.set(worker(0), worker(1))
    assert peers.refresh(3.0)
    assert peers.view.version == first.version + 1
    assert peers.view.ranks == (0, 1)


def test_a_peer_that_has_left_has_no_endpoint(peers, source):
    assert peers.endpoint(1) == worker(1)
    source.set(worker(0), worker(2))
    peers.refresh(1.0)
    assert peers.endpoint(1) is None


def test_a_newer_incarnation_replaces_the_older_in_the_view(peers, source):
    version = peers.view.version
    source.set(worker(0), worker(1), worker(1, 1), worker(2))
    assert peers.refresh(1.0)
    assert peers.view.members[1].incarnation == 1
    assert peers.view.version == version + 1
    assert peers.endpoint(1) == worker(1, 1)


def test_a_worker_stays_itself_when_the_roster_shows_another_process_of_its_rank(peers, source):
    source.set(worker(0, 1), worker(1))
    peers.refresh(1.0)
    assert peers.view.members[0].incarnation == 0
    assert peers.endpoint(0) is None


def test_after_a_lost_exchange_a_peer_is_left_out_for_a_second_and_comes_back_by_itself(peers):
    peers.lost("worker-1-0", 10.0)
    assert ranks_at(peers, 10.0) == (0, 2)
    assert ranks_at(peers, 10.9) == (0, 2)
    assert ranks_at(peers, 11.0) == (0, 1, 2)


def test_a_peer_that_is_left_out_can_still_be_reached(peers):
    peers.lost("worker-1-0", 10.0)
    peers.refresh(10.0)
    assert peers.endpoint(1) == worker(1)


def test_the_absence_doubles_with_every_loss_in_a_row_up_to_30_seconds(peers):
    now = 0.0
    for seconds in (1, 2, 4, 8, 16, 30, 30, 30):
        peers.lost("worker-1-0", now)
        assert ranks_at(peers, now) == (0, 2)
        assert ranks_at(peers, now + seconds - 0.01) == (0, 2)
        now += seconds
        assert ranks_at(peers, now) == (0, 1, 2)


def test_a_peer_that_is_lost_for_days_still_comes_back(peers):
    for _ in range(5000):
        peers.lost("worker-1-0", 0.0)
    assert ranks_at(peers, 30.0) == (0, 1, 2)


def test_an_answer_clears_the_record_of_losses(peers):
    for _ in range(3):
        peers.lost("worker-1-0", 0.0)
    peers.answered("worker-1-0")
    peers.lost("worker-1-0", 100.0)
    assert ranks_at(peers, 100.9) == (0, 2)
    assert ranks_at(peers, 101.0) == (0, 1, 2)


def test_peers_are_suspected_one_by_one(peers):
    peers.lost("worker-1-0", 0.0)
    peers.lost("worker-2-0", 0.5)
    assert ranks_at(peers, 0.9) == (0,)
    assert ranks_at(peers, 1.0) == (0, 1)
    assert ranks_at(peers, 1.5) == (0, 1, 2)


def test_a_replacement_is_not_suspected_for_the_one_before(peers, source):
    peers.lost("worker-1-0", 0.0)
    source.set(worker(0), worker(1, 1), worker(2))
    assert ranks_at(peers, 0.1) == (0, 1, 2)


def test_a_finished_peer_is_chosen_for_five_more_seconds_and_then_left_out_for_ever(peers):
    peers.finished("worker-1-0", 10.0)
    assert ranks_at(peers, 14.99) == (0, 1, 2)
    assert ranks_at(peers, 15.0) == (0, 2)
    assert ranks_at(peers, 1e9) == (0, 2)


def test_hearing_again_that_a_peer_has_finished_does_not_prolong_its_stay(peers):
    peers.finished("worker-1-0", 10.0)
    peers.answered("worker-1-0")
    peers.finished("worker-1-0", 14.0)
    assert ranks_at(peers, 15.0) == (0, 2)


def test_a_suspected_peer_that_turns_out_to_have_finished_lingers_as_any_other(peers):
    peers.lost("worker-1-0", 8.0)
    peers.finished("worker-1-0", 10.0)
    assert ranks_at(peers, 12.0) == (0, 1, 2)
    assert ranks_at(peers, 15.0) == (0, 2)


@pytest.mark.parametrize("lost_at", [11.0, 16.0])
def test_a_finished_peer_stays_left_out_even_if_an_exchange_with_it_is_lost(peers, lost_at):
    peers.finished("worker-1-0", 10.0)
    peers.lost("worker-1-0", lost_at)
    assert ranks_at(peers, 15.0) == (0, 2)
    assert ranks_at(peers, 100.0) == (0, 2)


def server(shard, incarnation=0):
    return Endpoint(Role.SERVER, shard, incarnation, "10.0.0.2", 5000 + shard)


def test_a_server_is_reached_by_its_shard_and_is_no_peer(peers, source):
    source.set(worker(0), worker(1), server(1), server(0))
    peers.refresh(1.0)
    assert peers.view.ranks == (0, 1)
    assert peers.endpoint(Shard(1)) == server(1)
    assert peers.endpoint(Rank(1)) == worker(1)
    assert peers.endpoint(Shard(2)) is None


def test_a_server_that_takes_anothers_place_is_reached_without_a_new_view(peers, source):
    source.set(*source.roster.endpoints, server(0))
    peers.refresh(1.0)
    source.set(*source.roster.endpoints, server(0, 1))
    assert not peers.refresh(2.0)
    assert peers.endpoint(Shard(0)) == server(0, 1)


def test_a_server_that_was_lost_once_is_not_left_out(peers, source):
    source.set(*source.roster.endpoints, server(0))
    peers.refresh(1.0)
    peers.lost("server-0-0", 1.0)
    peers.refresh(1.0)
    assert peers.endpoint(Shard(0)) == server(0)
