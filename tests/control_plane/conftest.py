"""The Kubernetes that these tests run on, an operator, and jobs."""

import json
from pathlib import Path

import pytest
from cluster_jobs import Jobs, define
from fault_proxy import FaultProxy
from operators import Operator
from pod_history import PodHistory
from testbed_fixtures import control_plane, simulated_namespace

__all__ = ["control_plane", "simulated_namespace"]

RIGHTS = (Path("manifests/base/namespace.yaml"), Path("manifests/base/rbac.yaml"))


@pytest.fixture(scope="session")
def definition(control_plane):
    """The definition of GossipTrainingJob is known to the API server."""
    define(control_plane)


@pytest.fixture(scope="session")
def account(control_plane, definition):
    """The service account that the manifests make for the operator: its kubeconfig."""
    for file in RIGHTS:
        control_plane.kubectl("apply", "--server-side", "-f", str(file))
    return control_plane.write_kubeconfig("gossip-system", "gossip-operator")


@pytest.fixture
def jobs(control_plane, definition, simulated_namespace):
    """The jobs of the test's own namespace."""
    return Jobs(control_plane, simulated_namespace)


@pytest.fixture
def operator(control_plane, definition, simulated_namespace, tmp_path):
    """An operator for the test's namespace alone; its log is shown if the test fails."""
    started = Operator(control_plane.kubeconfig, tmp_path / "operator.log", (simulated_namespace,))
    started.start()
    yield started
    started.kill()
    print(started.log.read_text())


@pytest.fixture
def proxy(control_plane):
    """What can stand between an operator and the API server and fail."""
    started = FaultProxy(control_plane.control_plane.pki)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def proxied_kubeconfig(proxy, account, simulated_namespace):
    """The operator's own account, by way of the proxy."""
    token = json.loads(account.read_text())["users"][0]["user"]["token"]
    return proxy.write_kubeconfig(f"proxied-{simulated_namespace}", token)


@pytest.fixture
def proxied(proxied_kubeconfig, simulated_namespace, tmp_path):
    """An operator behind the proxy for the test's namespace alone; it is not started yet."""
    made = Operator(proxied_kubeconfig, tmp_path / "operator.log", (simulated_namespace,))
    yield made
    made.kill()
    print(made.log.read_text() if made.log.exists() else "")


@pytest.fixture
def history(control_plane, simulated_namespace):
    """All that happens to the pods of the test's namespace."""
    started = PodHistory(control_plane, simulated_namespace)
    started.start()
    yield started
    started.stop()
