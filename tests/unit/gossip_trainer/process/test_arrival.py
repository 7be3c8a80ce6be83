from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest

from gossip_api.names import Role
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.process import arrival as module
from gossip_trainer.process.arrival import (
    Wanted,
    arrive,
    ask_the_others,
    began_before,
    is_late,
    note_beginning,
)
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.transport.errors import PeerLost

STARTED = 1000.0
TEN_SECONDS = timedelta(seconds=10)


def worker(rank, incarnation=0, **changes):
    return Endpoint(Role.WORKER, rank, incarnation, "10.0.0.1", rank, **changes)


def server(shard):
    return Endpoint(Role.SERVER, shard, 0, "10.0.0.2", shard)


class Time:
    def __init__(self):
        self.now = 50.0
        self.at_sleep = lambda: None

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        assert self.now < 10_000, "it would wait for ever"
        self.at_sleep()


class Job:
    """The others: `began` is when they began, by rank; `lost` do not answer."""

    def __init__(self):
        self.progress = JobProgress(lambda: 0.0)
        self.endpoint = worker(0)
        self.endpoints = (worker(0),)
        self.began, self.lost, self.asked = {}, set(), []
        self.client = SimpleNamespace(status=self.status)

    def roster(self):
        return Roster(self.endpoints)

    def status(self, address, *, expect):
        rank = address[1]
        self.asked.append(expect)
        if rank in self.lost:
            raise PeerLost("unreachable", f"{expect} is away")
        if rank in self.began:
            other = JobProgress(lambda: 0.0)
            other.begin(rank, 0, self.began[rank])
            self.progress.receive(expect, other.send())


@pytest.fixture
def time(monkeypatch):
    time = Time()
    monkeypatch.setattr(module, "time", time)
    return time


@pytest.fixture
def job(time):
    return Job()


def come(job, *, workers=1, servers=0):
    late = partial(is_late, job, STARTED)
    return arrive(job, Wanted(workers, servers), TEN_SECONDS, late=late)


def test_as_soon_as_enough_workers_and_servers_are_up_the_job_begins(job, time):
    coming = iter([(worker(0), worker(1)), (worker(0), worker(1), server(0))])
    time.at_sleep = lambda: setattr(job, "endpoints", next(coming))
    assert list(come(job, workers=2, servers=1)) == [0, 1]


def test_who_finds_that_the_job_had_begun_without_it_waits_for_nobody(job, time):
    job.endpoints, job.began = (worker(0), worker(1)), {1: STARTED - 1}
    began = time.now
    assert list(come(job, workers=8, servers=2)) == [0, 1]
    assert time.now == began


def test_who_begins_with_the_others_is_not_late(job):
    job.endpoints, job.began = (worker(0), worker(1)), {1: STARTED + 1}
    assert list(come(job, workers=2)) == [0, 1]
    assert not is_late(job, STARTED)


def test_the_others_are_asked_once_more_before_anybody_begins(job, time):
    job.endpoints = (worker(0),)
    time.at_sleep = lambda: setattr(job, "endpoints", (worker(0), worker(1)))
    come(job, workers=2)
    assert job.asked == ["worker-1-0"]


def test_one_that_cannot_be_asked_does_not_keep_a_job_from_beginning(job):
    job.endpoints, job.lost = (worker(0), worker(1)), {1}
    assert list(come(job, workers=2)) == [0, 1]


def test_too_few_in_time_are_an_error_that_says_how_many_and_what_to_set(job):
    with pytest.raises(MembershipError, match=r"1 of 3 workers and 0 of 1 servers .*startDeadline"):
        come(job, workers=3, servers=1)


def test_members_that_leave_are_neither_counted_nor_asked(job):
    job.endpoints = (worker(0), worker(1, leaving=True))
    with pytest.raises(MembershipError, match="1 of 2 workers"):
        come(job, workers=2)
    assert not job.asked


def test_of_many_only_some_are_asked(job):
    job.endpoints = tuple(worker(rank) for rank in range(50))
    ask_the_others(job, 3)
    assert len(set(job.asked)) == 3
    assert "worker-0-0" not in job.asked


def test_asking_ends_when_what_was_to_be_known_is_known(job):
    job.endpoints = tuple(worker(rank) for rank in range(50))
    ask_the_others(job, 30, until=lambda: len(job.asked) == 2)
    assert len(job.asked) == 2


@pytest.fixture
def container(tmp_path):
    return SimpleNamespace(output=tmp_path, last_words=tmp_path / "termination-log")


def test_a_process_restarted_in_its_container_knows_that_it_had_begun(container):
    assert not began_before(container, "worker-3-0")
    note_beginning(container, "worker-3-0")
    assert began_before(container, "worker-3-0")
    assert not began_before(container, "worker-3-1")


def test_a_local_run_restarts_nobody_under_the_same_name_and_keeps_its_folder_clean(tmp_path):
    note_beginning(SimpleNamespace(output=tmp_path, last_words=None), "worker-3-0")
    assert not list(tmp_path.iterdir())
