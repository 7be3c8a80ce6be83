"""How many workers a drain must leave alone."""

import pytest
from manifest_jobs import children_of, job, pod_of

from gossip_api.names import Role


def budget(**workers):
    return children_of(job(workers=workers))["PodDisruptionBudget"]["spec"]


@pytest.mark.parametrize(
    ("replicas", "minimum", "kept"), [(8, 4, 4), (8, 1, 1), (8, 8, 7), (1, 1, 0)]
)
def test_the_minimum_is_kept_but_one_worker_may_always_go(replicas, minimum, kept):
    assert budget(replicas=replicas, minReplicas=minimum)["minAvailable"] == kept


def test_workers_that_are_not_ready_may_go():
    assert budget()["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("role", Role)
def test_only_workers_are_counted(role):
    of = job(strategy={"type": "ElasticAveraging"})
    selected = children_of(of)["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]
    labels = pod_of(of, role)["metadata"]["labels"]
    assert (selected.items() <= labels.items()) == (role is Role.WORKER)
