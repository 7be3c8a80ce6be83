"""The rights in manifests/base suffice for a cluster and for namespaces, and none is idle."""

import json
from pathlib import Path

import pytest
import yaml
from asked_rights import Right, asked, granted, refused
from claims import drop_volumes, make_claim
from cluster_jobs import job, member_of
from fault_proxy import LoseAnswer, Refuse
from operators import Operator
from testbed.errors import ApiError
from testbed.waiting import wait_for

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(120)]

RBAC = Path("manifests/base/rbac.yaml")
ACCOUNT = "some-operator"
NOT_ASKED = {
    Right("gossip.training", "gossiptrainingjobs/finalizers", "update"): (
        "looked at by the admission plugin OwnerReferencesPermissionEnforcement, off here"
    ),
    **{
        Right("discovery.k8s.io", "endpointslices", verb): (
            "granted to the workers, which takes that the operator has it"
        )
        for verb in ("get", "list", "watch")
    },
}
"""Rights that no request of the operator takes, and what for it has them."""


def role(kind, name):
    documents = yaml.safe_load_all(RBAC.read_text())
    return next(d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name))


def rules(*, nodes: bool):
    """Return the operator's rules, with or without the one about nodes."""
    found = role("ClusterRole", "gossip-operator")["rules"]
    return [rule for rule in found if nodes or rule["resources"] != ["nodes"]]


def grant(bed, namespace, name, wanted, *, clusterwide):
    """Give the account in the namespace these rights."""
    kind, within = ("ClusterRole", "") if clusterwide else ("Role", f"namespaces/{namespace}/")
    root = f"/apis/rbac.authorization.k8s.io/v1/{within}{kind.lower()}"
    metadata = {"name": f"{name}-{namespace}"}
    bed.api.create(f"{root}s", {"metadata": metadata, "rules": wanted})
    binding = {
        "metadata": metadata,
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": kind,
            "name": metadata["name"],
        },
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
    }
    bed.api.create(f"{root}bindings", binding)


@pytest.fixture
def kubeconfig(control_plane, simulated_namespace, proxy):
    """An account without rights, by way of the proxy, which sees all that is asked."""
    control_plane.kubectl("create", "serviceaccount", ACCOUNT, "-n", simulated_namespace)
    direct = control_plane.write_kubeconfig(simulated_namespace, ACCOUNT)
    token = json.loads(direct.read_text())["users"][0]["user"]["token"]
    return proxy.write_kubeconfig(f"rights-{simulated_namespace}", token)


@pytest.fixture
def start(kubeconfig, tmp_path):
    """Start an operator with these options; its log is shown in the end."""
    started = []

    def start(*options, namespaces=()):
        operator = Operator(kubeconfig, tmp_path / "log", namespaces, options)
        started.append(operator)
        operator.start()
        return operator

    yield start
    for operator in started:
        operator.kill()
        print(operator.log.read_text())


@pytest.fixture
def pod_monitors(control_plane):
    """The API server knows PodMonitors, if not what is in them."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    body = {
        "metadata": {"name": "podmonitors.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "names": {"kind": "PodMonitor", "plural": "podmonitors"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

    def is_served():
        try:
            control_plane.api.list("/apis/monitoring.coreos.com/v1/podmonitors")
        except ApiError:
            return False
        return True

    control_plane.api.create(definitions, body)
    try:
        wait_for(is_served, "the API of PodMonitors", seconds=20)
        yield
    finally:
        control_plane.api.delete(f"{definitions}/{body['metadata']['name']}")
        wait_for(lambda: not is_served(), "the end of PodMonitors", seconds=30)


def live_through(jobs):
    """Let a job come up, lose a worker, be scaled, end and be deleted by the operator."""
    make_claim(jobs.bed, jobs.namespace, "models", "ReadWriteMany")
    body = job(replicas=2, checkpoint={"storage": {"claimName": "models"}})
    body["spec"]["runPolicy"] = {"ttlAfterFinished": "1s"}
    name = jobs.create(body)
    jobs.wait_ready(name, 2)
    jobs.delete_pod(jobs.live(name)[1])
    wait_for(lambda: 1 in jobs.live(name), "replacement")
    assert member_of(jobs.live(name)[1]).incarnation == 1
    jobs.change(name, {"workers": {"replicas": 3}})
    jobs.wait_ready(name, 3)
    jobs.change(name, {"workers": {"replicas": 2}})
    jobs.wait_ready(name, 2)
    jobs.finish(name)
    wait_for(lambda: not jobs.bed.api.exists(f"{jobs.path}/{name}"), "end of the job")
    wait_for(lambda: jobs.events(name), "events", seconds=10)
    drop_volumes(jobs.bed, jobs.namespace)


def suspend_twice(jobs):
    """Give the operator reason to say the same twice, which it counts in one Event."""
    name = jobs.create(job(replicas=1))
    for suspended in (True, False, True):
        jobs.change(name, {"suspend": suspended})
        jobs.wait_condition(name, "Suspended", str(suspended))


@pytest.mark.parametrize("clusterwide", [True, False], ids=["cluster", "namespace"])
def test_the_rights_suffice_for_all_that_the_operator_does(
    control_plane, jobs, simulated_namespace, proxy, start, clusterwide
):
    wanted = rules(nodes=clusterwide)
    grant(control_plane, simulated_namespace, "all", wanted, clusterwide=clusterwide)
    served = () if clusterwide else (simulated_namespace,)
    start("--no-leader-election", "--relist-seconds", "5", namespaces=served)

    live_through(jobs)

    assert refused(proxy.requests, simulated_namespace) == []


def test_every_right_is_asked_for_in_the_life_of_a_job(
    control_plane, jobs, simulated_namespace, proxy, start, pod_monitors
):
    leader = role("Role", "gossip-operator-leader")["rules"]
    grant(control_plane, simulated_namespace, "all", rules(nodes=True), clusterwide=True)
    grant(control_plane, simulated_namespace, "leader", leader, clusterwide=False)
    # Who does not hear what became of a write has to look.
    proxy.inject(LoseAnswer(), kinds={"POST"}, path="/pods$")
    proxy.inject(Refuse(409, "Conflict"), kinds={"PATCH"}, path="/gossiptrainingjobs/.*/status$")

    operator = start("--lease-namespace", simulated_namespace, "--relist-seconds", "5")
    live_through(jobs)
    suspend_twice(jobs)
    assert operator.stop() == 0

    found = asked(proxy.requests)
    have = granted([*rules(nodes=True), *leader])
    assert refused(proxy.requests, simulated_namespace) == []
    assert found <= have, "asked for and not granted"
    assert have - found == set(NOT_ASKED), "granted and not asked for"


def test_an_operator_that_may_not_see_nodes_goes_on_without(
    control_plane, jobs, simulated_namespace, start
):
    grant(control_plane, simulated_namespace, "most", rules(nodes=False), clusterwide=True)
    operator = start("--no-leader-election")
    live_through(jobs)
    assert operator.answer("/healthz") == 200
    assert "nodes may not be read" in operator.log.read_text()
