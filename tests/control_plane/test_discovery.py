"""Membership by EndpointSlices, with a real API server and real controllers."""

import time

import pytest
from slices import JobOfSlices, settle

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Rank
from gossip_trainer.membership.roster import Endpoint, Roster

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(120)]


@pytest.fixture
def job(control_plane, simulated_namespace, tmp_path):
    return JobOfSlices(control_plane, simulated_namespace, tmp_path)


@pytest.fixture
def source(job):
    """A roster watched with the rights that the job's pods have."""
    source = job.watch(job.access())
    yield source
    source.close()


def ranks(source):
    return list(source.roster.workers())


def test_members_appear_with_address_node_and_zone(job, source):
    job.start("worker-0-0")
    job.start("server-1-2")
    settle(lambda: source.roster.workers() and source.roster.servers(), "both members")
    worker, server = source.roster.workers()[0], source.roster.servers()[1]
    assert (worker.name, worker.port, worker.store_port) == ("worker-0-0", 29400, 29401)
    assert (server.role, server.incarnation) == (Role.SERVER, 2)
    assert worker.host
    assert worker.node


def test_a_pod_that_terminates_leaves_the_view_at_once_and_is_found_until_it_is_gone(job, source):
    job.start("worker-3-0", finalizers=("gossip.training/test",))
    settle(lambda: ranks(source) == [3], "the worker")
    job.delete_pod("worker-3-0")
    settle(lambda: ranks(source) == [], "its leave", seconds=5)
    found = source.roster.find(Rank(3))
    assert found is not None
    assert found.leaving
    job.let_go("worker-3-0")
    settle(lambda: source.roster.find(Rank(3)) is None, "its end")


def test_a_pod_that_is_not_ready_is_left_out_and_comes_back(job, source):
    job.start("worker-0-0")
    settle(lambda: ranks(source) == [0], "the worker")
    job.set_ready("worker-0-0", ready=False)
    settle(lambda: ranks(source) == [], "its absence")
    job.set_ready("worker-0-0", ready=True)
    settle(lambda: ranks(source) == [0], "its return")


def test_a_successor_takes_the_place_of_one_that_still_terminates(job, source):
    job.start("worker-1-0", finalizers=("gossip.training/test",))
    settle(lambda: ranks(source) == [1], "the worker")
    job.delete_pod("worker-1-0")
    job.start("worker-1-1")
    # The view may have no rank 1 for a moment: between the one that ends and its successor.
    settle(
        lambda: [each.incarnation for each in source.roster.workers().values()] == [1],
        "its successor",
    )
    job.let_go("worker-1-0")


def test_while_the_api_server_is_away_the_roster_stays_and_then_goes_on(control_plane, job, source):
    job.start("worker-0-0")
    settle(lambda: ranks(source) == [0], "the worker")
    control_plane.faults.kill_api_server()
    try:
        time.sleep(3)
        assert ranks(source) == [0]
    finally:
        control_plane.faults.restore_api_server()
    job.start("worker-1-0")
    # The first one's simulated node may count as gone for having been silent meanwhile. Kubernetes'
    # own clients pause up to 30 s, the scheduler after the controller that says a node is back.
    settle(lambda: 1 in ranks(source), "the next worker", seconds=80)
    assert source.roster.find(Rank(0)) is not None


class Fallback:
    """DNS, in a bed without a name service."""

    roster = Roster((Endpoint(Role.WORKER, 7, 0, "10.0.0.7", 29400),))

    def close(self):
        """Nothing is open."""


def test_without_the_right_to_watch_dns_takes_over_until_the_right_is_given(job):
    job.start("worker-0-0")
    job.delete("RoleBinding")
    access = job.access()
    source = job.watch(access, fall_back=Fallback)
    try:
        settle(lambda: ranks(source) == [7], "the fallback")
        job.create("RoleBinding")
        # The watch is tried again after pauses of up to 12 s; the first line of one proves it.
        job.start("worker-1-0")
        settle(lambda: list(source._roster.workers()), "the list", seconds=40)
        job.start("worker-2-0")
        settle(lambda: 2 in source.roster.workers(), "the watch", seconds=40)
    finally:
        source.close()
