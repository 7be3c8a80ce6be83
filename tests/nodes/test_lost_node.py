"""A node is cut off from the others and comes back, with its pods alive all the time."""

import time

import pytest
from node_jobs import long_job, newest_step, wait_beginning, wait_replacement, wait_training
from operators import Operator
from testbed.waiting import wait_for

from gossip_api.names import Role

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(300)]


@pytest.fixture
def cluster_operator(node_tier, definition, tmp_path):
    """An operator for the whole cluster: only such a one may look at nodes."""
    started = Operator(node_tier.kubeconfig, tmp_path / "operator.log")
    started.start()
    yield started
    started.kill()
    print(started.log.read_text())


@pytest.fixture
def cut(node_tier):
    """Return a function that cuts a node off; it is mended in the end, whatever happens."""
    links = []

    def cut_off(node):
        links.append(node)
        node_tier.faults.cut_link(node)

    yield cut_off
    for node in links:
        node_tier.faults.mend_link(node)
        wait_for(lambda node=node: is_ready(node_tier, node), "the node's return", seconds=60)


def is_ready(bed, node):
    conditions = bed.api.get(f"/api/v1/nodes/tbn{node}")["status"]["conditions"]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def test_workers_of_a_node_that_is_cut_off_are_replaced_and_do_not_come_back(
    node_tier, jobs, cluster_operator, cut
):
    name = jobs.create(long_job())
    wait_training(jobs, name)
    pods = jobs.live(name)
    nodes = {rank: int(pod["spec"]["nodeName"][-1]) for rank, pod in pods.items()}
    rank, node = next(iter(nodes.items()))
    lost = [other for other, where in nodes.items() if where == node]
    kept = {other: pods[other] for other, where in nodes.items() if where != node}
    assert kept, "the workers are spread over the nodes"
    steps = {other: newest_step(jobs, pod) for other, pod in kept.items()}

    cut(node)
    wait_for(lambda: not is_ready(node_tier, node), "the node's loss", seconds=40)
    marked = time.monotonic()
    new = [wait_replacement(jobs, name, Role.WORKER, other, seconds=5) for other in lost]
    assert time.monotonic() - marked < 2

    for pod in new:
        began = wait_beginning(jobs, pod)
        assert began["model_from"].startswith("worker-")
    for other, pod in kept.items():
        what = f"further steps of worker {other}"
        wait_for(lambda pod=pod, other=other: newest_step(jobs, pod) > steps[other], what)
    node_tier.faults.mend_link(node)
    wait_for(lambda: is_ready(node_tier, node), "the node's return", seconds=60)
    old = f"{jobs.pods_path}/{pods[rank]['metadata']['name']}"
    wait_for(lambda: not node_tier.api.exists(old), "end of the old worker", seconds=90)
    assert sorted(jobs.live(name)) == [0, 1, 2]
