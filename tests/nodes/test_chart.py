"""The chart where pods really run: the operator in one, and `helm test` with a job that trains."""

import pytest
from chart_releases import Release
from charts import program
from cluster_jobs import conditions

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(400)]


@pytest.fixture
def release(node_tier, definition, node_namespace, tmp_path):
    """A release whose images are the bed's, in a namespace that admits restricted pods only."""
    program()
    node_tier.kubectl(
        *("label", "namespace", node_namespace),
        "pod-security.kubernetes.io/enforce=restricted",
    )
    made = Release(node_tier, node_namespace, tmp_path)
    yield made
    made.clear_away()


def test_the_operator_in_its_pod_trains_the_job_of_helms_test(node_tier, release, jobs):
    release.install(
        *("--set", "crds.enabled=false"),
        *("--set", f"watchNamespaces={{{release.namespace}}}"),
        *("--set", "imageRegistry=testbed.local"),
        seconds=120,
    )
    assert release.deployment["status"]["readyReplicas"] == 1

    said = release.helm("test", "--timeout", "5m", seconds=330)

    assert "Phase:          Succeeded" in said
    [trained] = node_tier.api.list(jobs.path)
    assert conditions(trained)["Complete"]["status"] == "True"
    left = node_tier.kubectl("get", "pods,roles,configmaps", "-n", release.namespace, "-o", "name")
    assert "-test" not in left
