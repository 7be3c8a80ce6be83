"""What the documents show for a cluster, typed on one: chart installed, jobs trained in pods."""

import os

import pytest
import yaml
from charts import helm, program
from cluster_jobs import DEFINITION, define
from documented_commands import ROOT, blocks_of, documents
from documented_runs import lay_out, run
from testbed.waiting import wait_for

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(600)]

NAME = yaml.safe_load(DEFINITION.read_text())["metadata"]["name"]
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}"
CLUSTER = {
    path: blocks
    for path in documents()
    if (blocks := [block for block in blocks_of(path) if "cluster" in block.places])
}


@pytest.fixture
def bare_cluster(node_tier, definition):
    """A cluster on which nothing of ours is installed; the definition is back afterwards."""
    node_tier.kubectl("delete", "crd", NAME, "--wait=true")
    yield node_tier
    helm(
        *("uninstall", "gossip-training", "--namespace=gossip-system"),
        *("--ignore-not-found", "--wait"),
        kubeconfig=node_tier.kubeconfig,
    )
    node_tier.kubectl("delete", "namespace", "gossip-system", "--ignore-not-found", seconds=120)
    node_tier.kubectl("delete", "crd", NAME, "--ignore-not-found", "--wait=true")
    wait_for(lambda: not node_tier.api.exists(CRD), "end of the definition")
    define(node_tier)


@pytest.mark.parametrize("path", CLUSTER, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_document_work_on_a_cluster(path, bare_cluster, tmp_path):
    lay_out(tmp_path)
    programs = f"{bare_cluster.control_plane.programs}:{program().parent}"
    environment = {
        "KUBECONFIG": str(bare_cluster.kubeconfig),
        "PATH": f"{ROOT / '.venv/bin'}:{programs}:{os.environ['PATH']}",
        "HELM_CACHE_HOME": str(tmp_path / "helm"),
    }
    for block in CLUSTER[path]:
        script = block.script().replace("REGISTRY", "testbed.local")
        code, output = run(script, tmp_path, seconds=420, environment=environment)
        assert code == 0, f"{path.name}:{block.line}\n{output[-6000:]}"
