"""Real nodes run the trainer, and are lost as machines are."""

import pytest
from testbed import images, nodes
from testbed.simulated_nodes import is_ready
from testbed.waiting import wait_for

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(120)]

HARDENED_POD = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
HARDENED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
ASK_API_SERVER = """
import pathlib, ssl, urllib.request
account = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
request = urllib.request.Request("https://kubernetes.default.svc/version")
request.add_header("Authorization", "Bearer " + (account / "token").read_text())
context = ssl.create_default_context(cafile=account / "ca.crt")
print(urllib.request.urlopen(request, context=context, timeout=10).status)
"""


@pytest.fixture
def run_pod(node_tier, node_namespace):
    """Return a function that makes a pod and returns its path."""
    pods = f"/api/v1/namespaces/{node_namespace}/pods"

    def run(*command, name="subject", labels=None, **spec):
        container = {
            "name": "main",
            "image": images.HOST,
            "command": list(command),
            "securityContext": HARDENED,
        }
        body = {
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {
                "restartPolicy": "Never",
                "securityContext": HARDENED_POD,
                "containers": [container],
            }
            | spec,
        }
        node_tier.api.create(pods, body)
        return f"{pods}/{name}"

    return run


@pytest.fixture
def run_to_end(node_tier, node_namespace, run_pod):
    """Return a function that runs a command in a pod and returns what it says."""

    def run(*command, **settings):
        path = run_pod(*command, **settings)
        ends = {"Succeeded", "Failed"}
        wait_for(lambda: phase(node_tier, path) in ends, f"end of {command[0]}")
        logs = node_tier.kubectl("logs", "-n", node_namespace, path.rpartition("/")[2])
        assert phase(node_tier, path) == "Succeeded", logs
        return logs

    return run


def phase(bed, path):
    return bed.api.get(path)["status"]["phase"]


def test_a_hardened_pod_has_the_trainer_and_torch(run_to_end):
    said = run_to_end(
        "sh", "-c", "gossip --version && python -c 'import torch; print(torch.ones(2))'"
    )
    assert said.splitlines()[0].startswith("gossip ")
    assert "tensor([1., 1.])" in said


def test_a_pod_reaches_the_api_server_with_its_service_account(run_to_end):
    assert run_to_end("python", "-c", ASK_API_SERVER).strip() == "200"


def test_a_headless_service_resolves_to_its_pods_on_all_nodes(
    node_tier, node_namespace, run_pod, run_to_end
):
    service = {"clusterIP": "None", "selector": {"app": "peers"}, "ports": [{"port": 80}]}
    services = f"/api/v1/namespaces/{node_namespace}/services"
    node_tier.api.create(services, {"metadata": {"name": "peers"}, "spec": service})
    paths = [
        run_pod("sleep", "600", name=f"peer-{node}", labels={"app": "peers"}, nodeName=f"tbn{node}")
        for node in (1, 2, 3)
    ]
    wait_for(lambda: all(is_ready(node_tier.api.get(path)) for path in paths), "readiness of peers")
    addresses = {node_tier.api.get(path)["status"]["podIP"] for path in paths}

    script = f"""
import socket, time
found = set()
for _ in range(60):  # the name service follows the Service a moment later
    try:
        found = {{entry[4][0] for entry in socket.getaddrinfo("peers", 80)}}
    except socket.gaierror:
        pass
    if len(found) == {len(addresses)}:
        break
    time.sleep(0.5)
print(*found)
"""
    assert set(run_to_end("python", "-c", script).split()) == addresses


def test_a_network_policy_is_accepted(node_tier, node_namespace):
    path = f"/apis/networking.k8s.io/v1/namespaces/{node_namespace}/networkpolicies"
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    node_tier.api.create(path, {"metadata": {"name": "closed"}, "spec": spec})
    assert node_tier.api.exists(f"{path}/closed")


def test_a_killed_node_is_noticed_evicted_and_comes_back(node_tier, run_pod):
    path = run_pod("sleep", "600", nodeName=nodes.name(3))
    wait_for(lambda: phase(node_tier, path) == "Running", "start of the pod")

    node_tier.faults.kill_node(3)

    taints = wait_for(lambda: unreachable(node_tier, 3), "taints of a lost node", seconds=30)
    assert {taint["effect"] for taint in taints} <= {"NoSchedule", "NoExecute"}
    wait_for(
        lambda: "deletionTimestamp" in node_tier.api.get(path)["metadata"],
        "eviction from a lost node",
        seconds=30,
    )
    node_tier.faults.restore_node(3)
    wait_for(lambda: not unreachable(node_tier, 3), "end of the taints", seconds=30)
    wait_for(lambda: not node_tier.api.exists(path), "end of the evicted pod", seconds=30)


def test_what_runs_on_a_node_that_is_cut_off_goes_on(node_tier, run_pod):
    path = run_pod("sleep", "600", nodeName=nodes.name(2))
    wait_for(lambda: phase(node_tier, path) == "Running", "start of the pod")
    started = node_tier.api.get(path)["status"]["containerStatuses"][0]["state"]["running"]

    node_tier.faults.cut_link(2)
    wait_for(lambda: not is_ready(node_tier.api.get(path)), "unready pod", seconds=30)
    node_tier.faults.mend_link(2)

    wait_for(lambda: is_ready(node_tier.api.get(path)), "readiness of the pod", seconds=30)
    assert node_tier.api.get(path)["status"]["containerStatuses"][0]["state"]["running"] == started


def unreachable(bed, node):
    """The taints that say that a node is gone."""
    taints = bed.api.get(f"/api/v1/nodes/{nodes.name(node)}")["spec"].get("taints", [])
    return [taint for taint in taints if taint["key"] == "node.kubernetes.io/unreachable"]
