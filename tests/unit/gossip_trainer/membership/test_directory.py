import os
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from gossip_api.names import Role
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.directory import DirectoryRoster, read_roster, remove_member
from gossip_trainer.membership.roster import Endpoint, Roster

POLL_SECONDS = 0.005


def worker(rank, incarnation=0, store_port=0):
    return Endpoint(Role.WORKER, rank, incarnation, "127.0.0.1", 4000 + rank, store_port)


def eventually(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.001)


@pytest.fixture
def open_roster(tmp_path):
    opened = []

    def open_roster():
        opened.append(DirectoryRoster(tmp_path / "peers", poll_seconds=POLL_SECONDS))
        return opened[-1]

    yield open_roster
    for roster in opened:
        roster.close()


def test_a_directory_that_does_not_exist_yet_is_an_empty_roster(open_roster):
    assert open_roster().roster == Roster()


def test_an_announced_process_is_in_its_own_roster_at_once(open_roster):
    roster = open_roster()
    roster.announce(worker(3, 1, store_port=77))
    assert roster.roster == Roster((worker(3, 1, store_port=77),))


def test_where_a_process_shares_its_memory_is_announced_with_it(open_roster):
    sharing = replace(worker(2), memory="/proc/17/fd/5")
    one, other = open_roster(), open_roster()
    one.announce(sharing)
    eventually(lambda: other.roster == Roster((sharing,)))


def test_others_see_who_announces_and_who_withdraws(open_roster):
    one, other = open_roster(), open_roster()
    one.announce(worker(0))
    eventually(lambda: other.roster == Roster((worker(0),)))
    one.announce(worker(1))
    eventually(lambda: other.roster == Roster((worker(0), worker(1))))
    one.withdraw(worker(0))
    eventually(lambda: other.roster == Roster((worker(1),)))


def test_a_dead_process_whose_file_is_removed_is_gone_from_every_roster(open_roster, tmp_path):
    one, other = open_roster(), open_roster()
    one.announce(worker(0))
    eventually(lambda: len(other.roster.workers()) == 1)
    remove_member(tmp_path / "peers", "worker-0-0")
    eventually(lambda: not other.roster.workers() and not one.roster.workers())


def test_removing_the_file_of_one_that_never_announced_itself_is_no_error(tmp_path):
    remove_member(tmp_path, "worker-0-0")


def test_the_roster_stays_the_same_object_until_something_changes(open_roster, tmp_path):
    roster = open_roster()
    roster.announce(worker(0))
    before = roster.roster
    (tmp_path / "peers" / "notes.txt").write_text("no member")
    (tmp_path / "peers" / "notes.txt").unlink()
    roster.announce(worker(0))
    assert roster.roster is before


def test_a_change_within_one_tick_of_the_file_systems_clock_is_seen(tmp_path):
    # A directory's modification time has the resolution of the kernel's tick, some milliseconds:
    # of two files made within one tick the second does not change it.
    with closing(DirectoryRoster(tmp_path)) as roster:
        roster.announce(worker(0))
        stamp = tmp_path.stat().st_mtime_ns
        text = (tmp_path / "worker-0-0.json").read_text().replace('"rank":0', '"rank":1')
        (tmp_path / "worker-1-0.json").write_text(text)
        os.utime(tmp_path, ns=(stamp, stamp))
        eventually(lambda: list(roster.roster.workers()) == [0, 1], seconds=2.0)


def test_half_written_files_are_never_seen(open_roster, tmp_path):
    roster = open_roster()
    (tmp_path / "peers" / "worker-0-0.4711").write_text('{"role":"wor')
    roster.announce(worker(1))
    assert roster.roster == Roster((worker(1),))


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"role":"wor',
        "[]",
        "{}",
        '{"role":"worker","rank":"0","incarnation":0,"host":"h","port":1,"store_port":0}',
        '{"role":"worker","rank":0,"incarnation":0,"host":"h","port":1,"store_port":0,"x":1}',
        '{"role":"witness","rank":0,"incarnation":0,"host":"h","port":1,"store_port":0}',
        '{"role":"worker","rank":-1,"incarnation":0,"host":"h","port":1,"store_port":0}',
    ],
    ids=["empty", "torn", "list", "nothing", "text-rank", "unknown-field", "role", "negative"],
)
def test_a_file_that_is_no_members_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / "worker-0-0.json").write_text(text)
    with pytest.raises(MembershipError, match=r"worker-0-0\.json"):
        read_roster(tmp_path)


def test_close_ends_the_watch(open_roster):
    roster = open_roster()
    roster.close()
    assert not [thread for thread in threading.enumerate() if thread is roster._thread]
