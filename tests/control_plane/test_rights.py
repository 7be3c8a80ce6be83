"""The rights in manifests/operator suffice, for a whole cluster and for a few namespaces."""

from pathlib import Path

import pytest
import yaml
from cluster_jobs import job, member_of
from operators import Operator
from testbed.waiting import wait_for

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(120)]

RBAC = Path("manifests/operator/rbac.yaml")
ACCOUNT = "some-operator"


def rules(*, nodes: bool):
    """Return the operator's rules, with or without the one about nodes."""
    found = next(d for d in yaml.safe_load_all(RBAC.read_text()) if d["kind"] == "ClusterRole")
    return [rule for rule in found["rules"] if nodes or rule["resources"] != ["nodes"]]


def grant(bed, namespace, wanted, *, clusterwide):
    """Give an account in the namespace these rights; return its kubeconfig."""
    bed.kubectl("create", "serviceaccount", ACCOUNT, "-n", namespace)
    kind, within = ("ClusterRole", "") if clusterwide else ("Role", f"namespaces/{namespace}/")
    root = f"/apis/rbac.authorization.k8s.io/v1/{within}{kind.lower()}"
    metadata = {"name": f"{ACCOUNT}-{namespace}"}
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
    return bed.write_kubeconfig(namespace, ACCOUNT)


def live_through(jobs):
    """Let a job come up, lose a worker, be scaled, end and be deleted by the operator."""
    body = job(replicas=2)
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
    assert wait_for(lambda: jobs.events(name), "events")
    jobs.finish(name)
    wait_for(lambda: not jobs.bed.api.exists(f"{jobs.path}/{name}"), "end of the job")


@pytest.mark.parametrize("clusterwide", [True, False], ids=["cluster", "namespace"])
def test_the_rights_suffice_for_all_that_the_operator_does(
    control_plane, jobs, simulated_namespace, tmp_path, clusterwide
):
    config = grant(
        control_plane, simulated_namespace, rules(nodes=clusterwide), clusterwide=clusterwide
    )
    served = () if clusterwide else (simulated_namespace,)
    options = ("--no-leader-election", "--relist-seconds", "5")
    operator = Operator(config, tmp_path / "log", served, options)
    operator.start()
    try:
        live_through(jobs)
        refused = operator.metric("gossip_operator_api_requests_total", code="403")
    finally:
        operator.kill()
        print(operator.log.read_text())
    assert refused == 0
    assert "orbidden" not in operator.log.read_text()


def test_an_operator_that_may_not_see_nodes_goes_on_without(
    control_plane, jobs, simulated_namespace, tmp_path
):
    config = grant(control_plane, simulated_namespace, rules(nodes=False), clusterwide=True)
    operator = Operator(config, tmp_path / "log")
    operator.start()
    try:
        live_through(jobs)
        assert operator.answer("/healthz") == 200
    finally:
        operator.kill()
        print(operator.log.read_text())
    assert "nodes may not be read" in operator.log.read_text()
