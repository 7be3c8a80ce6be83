"""Places, the incarnations that took them, and what is held against them."""

from dataclasses import replace

import pytest
from planned_world import World, evaluator, running, server, worker

from gossip_api.names import Role
from gossip_operator.core.places import Place, find_places

FIRST = (Role.WORKER, 0)


def place_of(world, key=FIRST, **changes):
    return find_places(world.observe(**changes))[key]


def test_nobody_has_taken_a_place_of_a_new_job():
    assert find_places(World().observe()) == {}


def test_places_come_in_the_order_of_role_and_index():
    world = running(replicas=11, strategy="ElasticAveraging")
    keys = list(find_places(world.observe()))
    assert keys == [
        evaluator_key := (Role.EVALUATOR, 0),
        (Role.SERVER, 0),
        *((Role.WORKER, index) for index in range(11)),
    ]
    assert evaluator_key == (evaluator().role, 0)
    assert keys[1] == (server().role, 0)


@pytest.mark.parametrize("lost", ["pods", "ledger", "nothing"])
def test_the_next_incarnation_is_above_all_that_pods_or_ledger_know(lost):
    world = running()
    for incarnation in range(3):
        world.delete(f"mnist-worker-0-{incarnation}")
        world.settle()
        world.start_all()
        world.pass_time(5)
    if lost == "pods":
        world.pods.clear()
    if lost == "ledger":
        del world.status_document["ledger"]
    assert place_of(world).next == worker(0, 4)


def test_a_place_that_was_launched_is_known_without_pod_and_ledger_entry():
    world = running()
    assert "ledger" not in world.status_document
    world.pods.clear()
    assert place_of(world).next == worker(0, 1)


def test_a_failure_counts_once_however_often_it_is_seen():
    world = running()
    world.end("mnist-worker-0-0", 1)
    for _ in range(3):
        world.settle()
        assert place_of(world).failures == 1


def test_a_failure_counts_once_when_the_status_was_not_written():
    world = running()
    world.end("mnist-worker-0-0", 1)
    world.reconcile(loses_status=True)
    world.settle()
    assert place_of(world).failures == 1


@pytest.mark.parametrize("refuses", [True, False])
def test_no_pod_is_deleted_before_its_failure_is_recorded(refuses):
    world = running()
    world.crash_loop("mnist-worker-0-0")
    world.refuses = refuses
    while not (made := world.reconcile()).delete:
        assert not made.is_empty
    (entry,) = world.status.ledger
    assert (entry.failures, entry.failed_incarnation) == (1, 0)


def test_failures_of_successors_add_up():
    world = running()
    for incarnation in range(2):
        world.end(f"mnist-worker-0-{incarnation}", 1)
        world.settle()
        world.start_all()
        world.pass_time(5)
    assert place_of(world).failures == 2


@pytest.mark.parametrize("disruption", ["delete", "evict", "leave"])
def test_a_disruption_does_not_count(disruption):
    world = running()
    getattr(world, disruption)("mnist-worker-0-0")
    world.settle()
    assert place_of(world).failures == 0
    assert place_of(world).incarnation == 1


def test_a_pod_that_is_deleted_because_it_failed_stays_a_failure():
    world = running()
    world.crash_loop("mnist-worker-0-0")
    world.settle()
    assert world.find(worker(0, 0)).deleted is not None
    assert place_of(world).failures == 1


def failed(times, *, at=1000.0):
    world = World()
    world.settle()
    world.pods.clear()
    world.now = at
    entry = {"role": "worker", "index": 0, "incarnation": times, "failures": times}
    world.status_document["ledger"] = [
        entry | {"failedAt": "1970-01-01T00:16:40Z", "failedIncarnation": times}
    ]
    return world


@pytest.mark.parametrize(
    ("failures", "pause"), [(1, 0), (2, 10), (3, 20), (4, 40), (6, 160), (7, 300), (2000, 300)]
)
def test_the_second_failure_in_a_row_costs_ten_seconds_each_further_twice_as_much(failures, pause):
    place = place_of(failed(failures))
    assert max(place.free_at - 1000.0, 0.0) == pause


def test_a_clock_that_is_ahead_does_not_make_the_pause_longer():
    world = running()
    world.end("mnist-worker-0-0", 1)
    world.settle()
    world.start_all()
    world.pass_time(5)
    early = world.now
    world.pass_time(3600)
    world.end("mnist-worker-0-1", 1)  # on a node whose clock is an hour ahead
    assert place_of(world, now=early).free_at <= early + 10


def test_no_pod_is_replaced_in_its_first_three_seconds():
    world = World()
    world.settle()
    world.start_all()
    world.delete("mnist-worker-0-0")
    place = place_of(world)
    assert place.free_at == place.pod.created + 3
    assert world.reconcile().create == ()
    world.pass_time(3)
    assert [creation.member for creation in world.reconcile().create] == [worker(0, 1)]


def test_a_pod_made_by_a_clock_that_is_ahead_is_replaced_at_once():
    world = running()
    world.change("mnist-worker-0-0", created=world.now + 3600, deleted=world.now)
    assert place_of(world).free_at <= world.now


def test_failures_are_forgotten_when_a_pod_has_run_for_ten_minutes():
    world = failed(3)
    world.now += 100
    world.settle()
    world.start_all()
    world.pass_time(599)
    world.settle()
    assert place_of(world).failures == 3
    world.pass_time(1)
    world.settle()
    assert place_of(world).failures == 0
    assert place_of(world).next == worker(0, 5)


def test_a_place_is_given_up_when_its_failures_exceed_the_limit():
    vacant = Place(Role.WORKER, 0, incarnation=3, failures=3)
    assert not vacant.is_given_up(3)
    assert vacant.is_given_up(2)
    assert vacant.is_open(3)
    assert not vacant.is_open(2)


def test_a_place_somebody_holds_is_not_given_up_when_the_limit_is_lowered():
    world = failed(3)
    world.now += 100
    world.settle()
    world.start_all()
    assert place_of(world).failures == 3
    assert not place_of(world).is_given_up(1)


def test_a_pod_deleted_before_the_job_was_resumed_says_nothing_of_the_new_life():
    world = running()
    world.end("mnist-worker-0-0", 64)
    world.change("mnist-worker-0-0", deleted=world.now, phase="Running")
    world.status_document["startTime"] = "2036-01-01T00:00:00Z"
    place = place_of(world)
    assert place.pod is None
    assert place.next == worker(0, 1)


def test_what_is_as_at_the_start_needs_no_entry_in_the_ledger():
    assert Place(Role.WORKER, 0, incarnation=0).ledger_entry() is None
    assert Place(Role.WORKER, 0, incarnation=1).ledger_entry() is not None
    assert Place(Role.WORKER, 0, incarnation=0, finished=True).ledger_entry() is not None


def test_a_resumed_job_holds_nothing_against_a_place_but_keeps_its_incarnation():
    place = Place(Role.WORKER, 0, incarnation=4, failures=3, failed_at=1.0, finished=True)
    forgiven = place.forgiven()
    assert forgiven == replace(place, failures=0, failed_at=None, finished=False)
    assert forgiven.next == worker(0, 5)
