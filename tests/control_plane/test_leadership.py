"""Two replicas of the operator: one acts, the other takes over, and never both."""

import json
import signal
import time

import pytest
from cluster_jobs import job
from fault_proxy import WRITES, FaultProxy, Refuse
from operators import Operator
from testbed.waiting import wait_for

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(120)]

TAKE_OVER_SECONDS = 15
LEASES = "/leases"
OTHERS = "^(?!.*/leases)"
"""Paths of everything but Leases."""


class Replica(Operator):
    """An operator with a proxy of its own, so that what it does can be told from others' doings."""

    def __init__(self, proxy: FaultProxy, *arguments) -> None:
        super().__init__(*arguments)
        self.proxy = proxy

    def leads(self) -> bool:
        return self.metric("gossip_operator_leader") == 1

    def written(self, since: float = 0.0) -> list:
        return self.proxy.seen(*WRITES, path=OTHERS, since=since)


@pytest.fixture
def replicas(control_plane, account, simulated_namespace, tmp_path):
    """A leader and a replica that stands by."""
    token = json.loads(account.read_text())["users"][0]["user"]["token"]
    lease = ("--lease-namespace", "gossip-system", "--lease-name", simulated_namespace)
    made = []
    for number in range(2):
        proxy = FaultProxy(control_plane.control_plane.pki)
        proxy.start()
        config = proxy.write_kubeconfig(f"replica-{number}-{simulated_namespace}", token)
        log = tmp_path / f"replica-{number}.log"
        made.append(Replica(proxy, config, log, (simulated_namespace,), lease))
        made[-1].start()
        if number == 0:
            wait_for(made[0].leads, "a leader")
    yield made
    for replica in made:
        if replica.is_running:
            replica.send(signal.SIGCONT)
        replica.kill()
        replica.proxy.stop()
        print(replica.log.read_text())


def takes_over(jobs, name, replica, since):
    """Have something to do for the job and return after how long the replica has done it."""
    gone = jobs.live(name)[0]
    jobs.delete_pod(gone)
    wait_for(lambda: 0 in jobs.live(name), "a replacement", seconds=40)
    first = wait_for(lambda: replica.written(since), "a write of the replica")[0]
    print(f"took over after {first.at - since:.1f} s")
    return first.at - since


def test_one_acts_and_the_other_stands_by(jobs, replicas):
    leader, standby = replicas
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    assert leader.written()
    assert not standby.written()
    assert leader.leads()
    assert not standby.leads()
    assert leader.metric("gossip_job_workers", job_name=name, state="ready") == 3
    assert "gossip_job_" not in standby.page()
    assert standby.answer("/healthz") == standby.answer("/readyz") == 200


def test_the_other_takes_over_when_the_leader_is_killed(jobs, replicas):
    leader, standby = replicas
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    killed = time.monotonic()
    leader.kill()
    assert takes_over(jobs, name, standby, killed) < TAKE_OVER_SECONDS
    jobs.wait_ready(name, 3)


def test_the_other_takes_over_at_once_when_the_leader_is_told_to_end(jobs, replicas):
    leader, standby = replicas
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    assert leader.stop() == 0
    wait_for(standby.leads, "the other", seconds=2)
    # What is deleted while it makes its first lists, it finds when it lists again.
    assert takes_over(jobs, name, standby, time.monotonic()) < TAKE_OVER_SECONDS


def test_a_leader_that_was_frozen_does_nothing_more(jobs, replicas, history):
    leader, standby = replicas
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    deleted = frozenset(pod["metadata"]["name"] for pod in jobs.live(name).values())
    frozen = time.monotonic()
    leader.send(signal.SIGSTOP)
    takes_over(jobs, name, standby, frozen)
    jobs.delete_pod(jobs.live(name)[1])  # something that the frozen one will see, too
    jobs.change(name, {"workers": {"replicas": 5}})
    jobs.wait_ready(name, 5)
    time.sleep(max(0.0, 20 - (time.monotonic() - frozen)))

    thawed = time.monotonic()
    leader.send(signal.SIGCONT)

    assert leader.process.wait(timeout=20) not in {0, None}
    assert not leader.proxy.seen(*WRITES, since=thawed)
    assert standby.leads()
    history.check(deleted=deleted)


def test_a_leader_that_cannot_renew_the_lease_ends_before_another_leads(jobs, replicas):
    leader, standby = replicas
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    cut = time.monotonic()
    refusal = Refuse(503, "ServiceUnavailable")
    leader.proxy.inject(refusal, kinds=WRITES | {"GET"}, path=LEASES, times=1000)

    code = leader.process.wait(timeout=20)

    assert code not in {0, None}
    assert not standby.written()
    assert not standby.leads()
    assert takes_over(jobs, name, standby, cut) < TAKE_OVER_SECONDS + 2


def test_an_operator_that_is_stuck_is_not_alive(jobs, proxied):
    proxied.start()
    assert proxied.answer("/healthz") == 200
    proxied.send(signal.SIGSTOP)
    assert proxied.answer("/healthz") == 0
    proxied.send(signal.SIGCONT)
    wait_for(lambda: proxied.answer("/healthz") == 200, "life")


def test_an_operator_that_can_list_nothing_for_long_is_not_alive(jobs, proxy, proxied):
    proxied.options += ("--relist-seconds", "2")
    proxied.start()
    proxy.inject(Refuse(500, "InternalError"), kinds={"GET"}, path="/pods$", times=1000)
    wait_for(lambda: proxied.answer("/healthz") == 503, "complaint", seconds=30)
    proxy.heal()
    wait_for(lambda: proxied.answer("/healthz") == 200, "life", seconds=40)
