"""The API server refuses, loses, delays and forgets; jobs come up and stay right all the same."""

import time
from itertools import pairwise

import pytest
from cluster_jobs import job, member_of
from fault_proxy import WATCH, WRITES, CutAfter, Drop, Expire, Hang, LoseAnswer, Refuse
from testbed.waiting import wait_for

from gossip_api.names import Role

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(180)]

PODS = "/pods$"
STATUS = "/gossiptrainingjobs/[^/]+/status$"
EVERYTHING = WRITES | {"GET", WATCH}


def replaced(jobs, name, rank, incarnation, seconds=30):
    def look():
        pod = jobs.live(name).get(rank)
        return pod if pod and member_of(pod).incarnation == incarnation else None

    return wait_for(look, f"worker-{rank}-{incarnation}", seconds=seconds)


def names(pods):
    return frozenset(pod["metadata"]["name"] for pod in pods)


@pytest.mark.parametrize(
    ("act", "which"),
    [
        (LoseAnswer(), {"kinds": {"POST"}, "path": PODS, "times": 3}),
        (LoseAnswer(), {"kinds": WRITES, "times": 5}),
        (Drop(), {"kinds": WRITES, "times": 5}),
        (CutAfter(60), {"kinds": WRITES, "times": 5}),
        (Refuse(409, "Conflict"), {"kinds": {"PATCH"}, "path": STATUS, "times": 3}),
        (Refuse(409, "AlreadyExists"), {"kinds": {"POST"}, "path": PODS, "times": 2}),
        (Refuse(500, "InternalError"), {"kinds": WRITES, "times": 3}),
        (Refuse(503, "ServiceUnavailable"), {"kinds": EVERYTHING, "times": 8}),
        (Refuse(504, "Timeout"), {"kinds": WRITES, "times": 3}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else "",
)
def test_a_job_comes_up_although_requests_fail(jobs, proxy, proxied, history, act, which):
    proxied.start()
    fault = proxy.inject(act, **which)

    name = jobs.create(job())

    jobs.wait_ready(name, 3)
    assert fault.hits == which["times"]
    assert {member_of(pod).incarnation for pod in jobs.pods(name)} == {0}
    history.check()


def test_the_operator_starts_although_the_first_lists_fail(jobs, proxy, proxied):
    name = jobs.create(job())
    fault = proxy.inject(Refuse(500, "InternalError"), kinds={"GET"}, times=2)
    cut = proxy.inject(CutAfter(40), kinds={"GET"}, path="/pods", times=1)
    proxied.start()
    jobs.wait_ready(name, 3)
    assert fault.hits == 2
    assert cut.hits == 1


def test_a_request_that_is_never_answered_is_given_up(jobs, proxy, proxied, history):
    proxied.start()
    proxy.inject(Hang(), kinds={"POST"}, path=PODS)
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    history.check()


def test_too_many_requests_are_met_with_as_long_a_pause_as_was_asked_for(jobs, proxy, proxied):
    proxied.start()
    fault = proxy.inject(
        Refuse(429, "TooManyRequests", retry_after=3), kinds={"POST"}, path=PODS, times=2
    )
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    assert fault.hits == 2
    times = [one.at for one in proxy.seen("POST", path=PODS)][:3]
    assert all(later - earlier > 2.9 for earlier, later in pairwise(times))


def test_a_storm_of_refusals_passes(jobs, proxy, proxied, history):
    proxied.start()
    name = jobs.create(job())
    storm = Refuse(429, "TooManyRequests", retry_after=1)
    fault = proxy.inject(storm, kinds=EVERYTHING, times=30)
    proxy.cut_watches()
    time.sleep(5)
    proxy.heal()
    jobs.wait_ready(name, 3)
    assert fault.hits < 30  # none was asked again without a pause
    history.check()


def test_a_watch_that_is_too_old_begins_anew_and_leaves_no_ghost(jobs, proxy, proxied, history):
    proxied.start()
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    gone = jobs.live(name)[1]
    time.sleep(3)
    proxy.inject(Expire(), kinds={WATCH}, times=4)
    proxy.inject(Refuse(503, "ServiceUnavailable"), kinds={"GET"}, times=3)
    proxy.cut_watches()

    jobs.delete_pod(gone)

    replaced(jobs, name, 1, 1)
    jobs.wait_ready(name, 3)
    assert proxied.metric("gossip_operator_pods") == 4
    history.check(deleted=names([gone]))


def test_what_vanishes_while_the_operator_is_cut_off_is_noticed(jobs, proxy, proxied, history):
    proxied.start()
    name, other = jobs.create(job()), jobs.create(job())
    jobs.wait_ready(name, 3)
    jobs.wait_ready(other, 3)
    gone = jobs.live(name)[2]

    proxy.close_door()
    jobs.delete_pod(gone)
    jobs.bed.kubectl("delete", f"gtj/{other}", "-n", jobs.namespace, "--timeout=20s")
    wait_for(lambda: not jobs.pods(other), "end of the other job's pods")
    proxy.open_door()

    replaced(jobs, name, 2, 1)
    wait_for(lambda: proxied.metric("gossip_operator_jobs") == 1, "one job")
    wait_for(lambda: proxied.metric("gossip_operator_pods") == 4, "its pods")
    history.catch_up()
    assert not names(jobs.pods(other))


def test_watches_that_are_cut_again_and_again_are_taken_up_again(jobs, proxy, proxied, history):
    proxied.start()
    name = jobs.create(job(replicas=6))
    for _ in range(15):
        proxy.cut_watches()
        time.sleep(0.3)
    jobs.wait_ready(name, 6)
    history.check()


def test_a_late_view_makes_no_pod_twice(jobs, proxy, proxied, history):
    proxied.start()
    proxy.watch_delay = 4.0
    name = jobs.create(job())
    wait_for(lambda: len(jobs.live(name)) == 3, "three workers")
    time.sleep(5)
    gone = jobs.live(name)[1]
    jobs.delete_pod(gone)
    jobs.change(name, {"workers": {"replicas": 5}})
    replaced(jobs, name, 1, 1)
    wait_for(lambda: len(jobs.live(name)) == 5, "five workers")
    time.sleep(8)  # all that comes late has come
    assert sorted(jobs.live(name)) == [0, 1, 2, 3, 4]
    jobs.wait_ready(name, 5)
    history.check(deleted=names([gone]))


def test_the_operator_outlives_the_api_server(jobs, proxied, history, control_plane):
    proxied.start()
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    started = proxied.pid
    time.sleep(3)

    control_plane.faults.kill_api_server()
    time.sleep(3)
    control_plane.faults.restore_api_server()

    gone = jobs.live(name)[0]
    jobs.delete_pod(gone)
    replaced(jobs, name, 0, 1)
    jobs.wait_ready(jobs.create(job()), 3, seconds=100)  # simulated nodes are slow to come back
    assert proxied.is_running
    assert proxied.pid == started
    assert proxied.answer("/healthz") == 200
    history.check(deleted=names([gone]))


@pytest.mark.parametrize("kind", ["service", "configmap", "role", "rolebinding", "secret"])
def test_a_child_that_somebody_deletes_comes_back(jobs, proxied, kind):
    proxied.options += ("--relist-seconds", "2")
    proxied.start()
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    child = {"configmap": f"{name}-spec", "secret": f"{name}-tls"}.get(kind, f"{name}-peers")
    found = jobs.bed.kubectl("get", kind, child, "-n", jobs.namespace, "-o", "name")

    jobs.bed.kubectl("delete", kind, child, "-n", jobs.namespace)

    def is_back():
        options = ("--ignore-not-found", "-o", "name")
        return jobs.bed.kubectl("get", kind, child, "-n", jobs.namespace, *options) == found

    wait_for(is_back, f"return of {kind} {child}", seconds=20)
    assert not any(member_of(pod).incarnation for pod in jobs.pods(name))


def test_an_operator_with_nothing_to_do_writes_nothing(jobs, proxy, proxied):
    proxied.options += ("--relist-seconds", "4")
    proxied.start()
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    time.sleep(3)
    before, since = proxied.writes(), time.monotonic()

    time.sleep(15)

    assert before > 0
    assert proxied.writes() == before
    assert not proxy.seen(*WRITES, since=since)
    assert len(proxy.seen("GET", path="/gossiptrainingjobs$", since=since)) >= 2


@pytest.mark.parametrize("image", [None, "testbed.local/other:2"], ids=["restart", "upgrade"])
def test_a_new_operator_touches_no_pod_that_runs(jobs, proxy, proxied, history, image):
    proxied.start()
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    time.sleep(2)
    before = {pod["metadata"]["uid"] for pod in jobs.pods(name)}
    proxied.stop()
    since = time.monotonic()
    if image is not None:
        proxied.options += ("--default-image", image)

    proxied.start()

    time.sleep(6)
    assert not proxy.seen(*WRITES, since=since)
    assert {pod["metadata"]["uid"] for pod in jobs.pods(name)} == before
    assert list(jobs.live(name, Role.EVALUATOR)) == [0]
    history.check()
