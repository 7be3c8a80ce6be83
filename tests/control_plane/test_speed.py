"""The operator is fast, and a new one disturbs nothing; tests/bench/bench_operator.py has more."""

from statistics import quantiles

import pytest
from cluster_jobs import job
from operator_speed import deletions, lost_nodes
from testbed.simulated_nodes import restore_node

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(120)]


def test_a_deleted_workers_successor_is_there_within_a_second(jobs, operator, history):
    name = jobs.create(job(replicas=8))
    jobs.wait_ready(name, 8)
    seconds = deletions(jobs, history, name, 24)
    p95 = quantiles(seconds, n=20)[-1]
    print(f"p50 {sorted(seconds)[12]:.3f} s, p95 {p95:.3f} s")
    assert p95 < 1.0


def test_a_lost_nodes_workers_have_successors_within_two_seconds_of_its_mark(
    jobs, control_plane, account, operator, history
):
    operator.kill()
    operator.kubeconfig, operator.namespaces = account, ()  # only who serves all may see nodes
    operator.start()
    name = jobs.create(job(replicas=8))
    jobs.wait_ready(name, 8)
    nodes, seconds = lost_nodes(jobs, history, name, 2)
    print(f"{max(seconds):.3f} s")
    for node in nodes:
        restore_node(control_plane.api, node)
    assert max(seconds) <= 2.0
    jobs.wait_ready(name, 8)


def test_a_new_operator_creates_and_deletes_no_pod_of_many_jobs(jobs, operator, history):
    names = [jobs.create(job(replicas=4)) for _ in range(10)]
    for name in names:
        jobs.wait_ready(name, 4)
    before = {pod["metadata"]["uid"] for name in names for pod in jobs.pods(name)}
    operator.kill()
    operator.start()
    for name in names:
        jobs.wait_ready(name, 4)
    assert operator.writes() == 0
    assert {pod["metadata"]["uid"] for name in names for pod in jobs.pods(name)} == before
    history.check()
