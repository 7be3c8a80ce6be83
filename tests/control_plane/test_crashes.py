"""The operator dies at every one of its writes, and the job's life is right all the same.

What is on the API server before the n-th write is what was there after the one before, so two lives
meet every case: one in which every process is killed after its first write has been done and before
it hears of that, and one in which every process is killed before its third write is done.
"""

import threading

import pytest
from cluster_jobs import job, member_of
from fault_proxy import WRITES, Drop, LoseAnswer
from testbed.waiting import wait_for

from gossip_api.names import Role

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(400)]


class Immortal:
    """An operator that is started again whenever it has been killed."""

    def __init__(self, operator, proxy, act, skip):
        self.num_deaths = 0
        self._operator = operator
        self._proxy = proxy
        self._act = act
        self._skip = skip
        self._ended = threading.Event()
        self._died = threading.Event()
        self._thread = threading.Thread(target=self._live, name="immortal")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._died.set()
        self._thread.join(60)
        self._proxy.heal()

    def _live(self):
        while not self._ended.is_set():
            self._died.clear()
            self._proxy.heal()
            self._proxy.inject(self._act(self._die), kinds=WRITES, skip=self._skip)
            self._operator.start(ready=False)
            self._died.wait()

    def _die(self):
        self._operator.kill()
        self.num_deaths += 1
        self._died.set()


@pytest.mark.parametrize(("act", "skip"), [(LoseAnswer, 0), (Drop, 2)], ids=["after", "before"])
def test_a_life_is_right_although_every_operator_is_killed_at_a_write(
    jobs, proxy, proxied, history, act, skip
):
    name = jobs.create(job())
    with Immortal(proxied, proxy, act, skip) as immortal:
        jobs.wait_ready(name, 3, seconds=200)

        deleted = jobs.live(name)[1]
        jobs.delete_pod(deleted)
        wait_for(lambda: 1 in jobs.live(name), "replacement", seconds=60)
        jobs.wait_ready(name, 3, seconds=60)

        jobs.change(name, {"workers": {"replicas": 4}})
        jobs.wait_ready(name, 4, seconds=60)
        jobs.change(name, {"workers": {"replicas": 3}})
        jobs.wait_ready(name, 3, seconds=60)
        history.catch_up()
        surplus = {life.name for life in history.lives.values() if life.deleted}

        jobs.finish(name)
        jobs.wait_condition(name, "Complete", seconds=60)

    assert immortal.num_deaths > (10 if act is LoseAnswer else 5)
    assert jobs.get(name)["status"]["result"]["accuracy"] == "0.9"
    assert len(surplus) == 2
    assert deleted["metadata"]["name"] in surplus
    assert {member_of(pod).incarnation for pod in jobs.pods(name, Role.EVALUATOR)} == {0}
    history.check(deleted=frozenset(surplus))
