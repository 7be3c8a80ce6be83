from types import SimpleNamespace

import pytest

from gossip_api.names import Member, Role
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.process.network import Network, fenced_progress
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.transport.fencing import Fence


def worker(rank, incarnation=0, **changes):
    return Endpoint(Role.WORKER, rank, incarnation, "10.0.0.1", 80, **changes)


def network(own, *endpoints):
    source = SimpleNamespace(roster=Roster(endpoints))
    return Network(own, None, None, source, None)


@pytest.mark.parametrize(
    ("own", "endpoints", "count"),
    [
        pytest.param(worker(0), (worker(0), worker(1), worker(2)), 2, id="all there"),
        pytest.param(worker(0), (worker(1), worker(2)), 2, id="itself not yet"),
        pytest.param(worker(0), (worker(0), worker(1, leaving=True)), 0, id="one leaves"),
        pytest.param(
            Endpoint(Role.EVALUATOR, 0, 0, "10.0.0.1", 81), (worker(0),), 1, id="the evaluator"
        ),
    ],
)
def test_its_peers_are_the_other_workers_that_are_there(own, endpoints, count):
    assert network(own, *endpoints).num_peers() == count


def test_counters_of_a_newer_process_of_the_own_rank_fence_this_one():
    learned = []
    progress = fenced_progress(Fence("worker-3-0", learned.append))
    other = JobProgress(lambda: 0.0)
    other.begin(3, 1, 100.0)
    progress.receive("worker-7-0", other.send())
    assert learned == ["worker-3-1"]


def test_counters_of_an_older_process_of_the_own_rank_do_not():
    learned = []
    progress = fenced_progress(Fence("worker-3-1", learned.append))
    other = JobProgress(lambda: 0.0)
    other.begin(3, 0, 100.0)
    progress.receive("worker-7-0", other.send())
    assert not learned


def test_a_member_of_another_place_is_no_successor():
    learned = []
    fence = Fence("worker-3-0", learned.append)
    fence.learn_of(Member(Role.SERVER, 3, 4))
    assert not learned
