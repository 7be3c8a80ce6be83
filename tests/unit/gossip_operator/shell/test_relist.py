import asyncio

import pytest
from objects import raw_child, raw_job, raw_pod

from gossip_operator.shell import relist
from gossip_operator.shell.errors import ApiError
from gossip_operator.shell.inventory import Inventory
from gossip_operator.shell.kube import Page
from gossip_operator.shell.metrics import Metrics
from gossip_operator.shell.mirror import Mirror
from gossip_operator.shell.projections import Key
from gossip_operator.shell.relist import Relist
from gossip_operator.shell.settings import Settings

KEY = Key("default", "digits")
FORBIDDEN = ApiError(403, "Forbidden", "cannot list")


class Lists:
    """An API server that can only be listed."""

    def __init__(self):
        self.items = {}
        self.errors = {}
        self.asked = []
        self.with_pod_monitors = True

    async def serves(self, resource):
        return self.with_pod_monitors

    async def pages(self, resource, namespace, *, selector="", only_metadata=False):
        self.asked.append((resource.kind, namespace, selector, only_metadata))
        if error := self.errors.get(resource.kind):
            raise error
        yield Page(50, self.items.get(resource.kind, []))


class Bench:
    def __init__(self, namespaces=()):
        self.lists = Lists()
        self.called = []
        self.mirror = Mirror(self.called.append)
        self.inventory = Inventory(lambda _: None)
        self.metrics = Metrics()
        self.now = 0.0
        self.relist = Relist(
            self.lists,
            mirror=self.mirror,
            inventory=self.inventory,
            settings=Settings(namespaces=namespaces, relist_seconds=0.05),
            metrics=self.metrics,
            clock=lambda: self.now,
        )

    def once(self):
        asyncio.run(self.relist.once())


@pytest.fixture
def bench():
    return Bench()


def test_everything_is_taken_in(bench):
    bench.lists.items = {
        "GossipTrainingJob": [raw_job()],
        "Pod": [raw_pod()],
        "Service": [{"metadata": raw_child("digits-peers")}],
        "Node": [
            {
                "metadata": {"name": "n1"},
                "spec": {"taints": [{"key": "node.kubernetes.io/unreachable"}]},
            }
        ],
    }
    bench.once()
    assert bench.mirror.keys == (KEY,)
    assert len(bench.mirror.pods("job-1")) == 1
    assert bench.inventory.applied(KEY, "job-1") == {("Service", "digits-peers"): "abc"}
    assert set(bench.mirror.lost_nodes) == {"n1"}
    assert bench.relist.serves_pod_monitors


def test_what_is_listed_no_more_is_gone_and_counted_as_a_ghost(bench):
    bench.mirror.take_job(raw_job())
    bench.mirror.take_pod(raw_pod())
    bench.once()
    assert bench.mirror.keys == ()
    assert bench.mirror.num_pods == 0
    assert bench.metrics.ghosts.labels("Pod")._value.get() == 1


def test_an_object_that_cannot_be_read_does_not_hide_the_others(bench, caplog):
    broken = raw_pod(0, labels="none")
    bench.lists.items = {"Pod": [broken, raw_pod(1)]}
    bench.once()
    assert [pod.member.index for pod in bench.mirror.pods("job-1")] == [1]
    assert "default/digits-worker-0-0 cannot be read" in caplog.text


def test_of_children_only_metadata_is_read_and_only_those_with_our_label(bench):
    bench.once()
    children = [one for one in bench.lists.asked if one[0] in {"Secret", "ConfigMap", "Role"}]
    assert len(children) == 3
    assert all(one[2:] == ("gossip.training/job-name", True) for one in children)


def test_with_namespaces_nothing_outside_them_is_asked_for():
    bench = Bench(namespaces=("a", "b"))
    bench.once()
    assert {namespace for _, namespace, *_ in bench.lists.asked} == {"a", "b"}
    assert "Node" not in {kind for kind, *_ in bench.lists.asked}
    assert not bench.relist.reads_nodes


def test_without_the_right_to_read_nodes_the_operator_goes_on(bench):
    bench.lists.errors["Node"] = FORBIDDEN
    bench.once()
    assert not bench.relist.reads_nodes
    bench.lists.asked.clear()
    bench.once()
    assert "Node" not in {kind for kind, *_ in bench.lists.asked}


def test_pod_monitors_that_are_not_served_or_may_not_be_listed_are_none(bench):
    bench.lists.errors["PodMonitor"] = FORBIDDEN
    bench.once()
    assert not bench.relist.serves_pod_monitors
    bench.lists.with_pod_monitors = False
    bench.once()
    assert not bench.relist.serves_pod_monitors


def test_all_jobs_are_looked_at_when_pod_monitors_come_to_be_served(bench):
    bench.lists.items = {"GossipTrainingJob": [raw_job()]}
    bench.lists.with_pod_monitors = False
    bench.once()
    bench.called.clear()
    bench.once()
    assert bench.called == []
    bench.lists.with_pod_monitors = True
    bench.once()
    assert bench.called == [KEY]


def test_a_list_that_fails_is_no_sign_of_life(bench):
    bench.now = 7.0
    bench.lists.errors["Secret"] = FORBIDDEN
    with pytest.raises(ApiError):
        bench.once()
    assert bench.relist.seconds_since == 7.0
    bench.lists.errors.clear()
    bench.once()
    assert bench.relist.seconds_since == 0.0


def test_nothing_begins_before_everything_was_listed(bench, monkeypatch, caplog):
    monkeypatch.setattr(relist, "FIRST_PAUSE_SECONDS", 0.01)
    bench.lists.errors["GossipTrainingJob"] = ApiError(404, "NotFound", "no such path")

    async def steps():
        beginning = asyncio.ensure_future(bench.relist.begin())
        await asyncio.sleep(0.05)
        assert not beginning.done()
        bench.lists.errors.clear()
        await asyncio.wait_for(beginning, 5.0)

    asyncio.run(steps())
    assert "apply manifests/crd/gossiptrainingjobs.yaml" in caplog.text


def lists_of_jobs(bench):
    return sum(kind == "GossipTrainingJob" for kind, *_ in bench.lists.asked)


async def run_for(bench, seconds):
    running = asyncio.ensure_future(bench.relist.run())
    await asyncio.sleep(seconds)
    running.cancel()


def test_everything_is_listed_again_and_again(bench):
    asyncio.run(run_for(bench, 0.5))
    assert lists_of_jobs(bench) >= 3


def test_a_list_that_fails_is_tried_again(bench, monkeypatch):
    monkeypatch.setattr(relist, "FIRST_PAUSE_SECONDS", 0.01)
    bench.lists.errors["Pod"] = ApiError(500, "InternalError", "etcd")
    asyncio.run(run_for(bench, 0.5))
    assert lists_of_jobs(bench) >= 3


def test_a_watch_that_began_anew_brings_the_next_list_forward(monkeypatch):
    monkeypatch.setattr(relist, "SETTLE_SECONDS", 0.01)
    bench = Bench()
    bench.relist._settings = Settings(relist_seconds=60.0)

    async def steps():
        bench.relist.soon()
        bench.relist.soon()
        await run_for(bench, 0.2)

    asyncio.run(steps())
    assert lists_of_jobs(bench) == 1
