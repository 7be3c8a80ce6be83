"""The Kubernetes that these tests run on, an operator, and jobs."""

import pytest
from cluster_jobs import Jobs, define
from operators import Operator
from testbed_fixtures import node_namespace, node_tier

__all__ = ["node_namespace", "node_tier"]


@pytest.fixture(scope="session")
def definition(node_tier):
    """The definition of GossipTrainingJob is known to the API server."""
    define(node_tier)


@pytest.fixture
def jobs(node_tier, definition, node_namespace):
    """The jobs of the test's own namespace; what their pods said is shown if the test fails."""
    made = Jobs(node_tier, node_namespace)
    yield made
    print(made.logs())


@pytest.fixture
def operator(node_tier, definition, node_namespace, tmp_path):
    """An operator for that namespace alone; what it logs is shown if the test fails."""
    started = Operator(node_tier.kubeconfig, tmp_path / "operator.log", (node_namespace,))
    started.start()
    yield started
    started.kill()
    print(started.log.read_text())
