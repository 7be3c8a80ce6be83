from datetime import timedelta

import pytest

from gossip_api.names import Role
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.process.network import open_roster, wait_for


def workers(*ranks):
    return Roster(tuple(Endpoint(Role.WORKER, rank, 0, "10.0.0.1", 80) for rank in ranks))


def test_a_source_of_membership_nobody_knows_is_an_error_that_says_what_there_is():
    with pytest.raises(MembershipError, match=r"got 'dns:peers'; must be directory:PATH"):
        open_roster("dns:peers")


def test_a_directory_is_watched(tmp_path):
    roster = open_roster(f"directory:{tmp_path / 'peers'}")
    roster.close()
    assert roster.roster == Roster()


def test_as_soon_as_enough_workers_are_up_all_that_are_up_are_returned():
    rosters = iter([workers(), workers(0), workers(0, 1, 2)])
    found = wait_for("workers", lambda: next(rosters).workers(), 2, timedelta(seconds=10))
    assert list(found) == [0, 1, 2]


def test_too_few_workers_in_time_are_an_error_that_says_how_many():
    with pytest.raises(MembershipError, match="1 of 2 workers were up after"):
        wait_for("workers", lambda: workers(0).workers(), 2, timedelta(seconds=0.01))
