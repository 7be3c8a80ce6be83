"""The operator's pod as the chart makes it: who it is, where it goes, who reaches it."""

from pathlib import Path

import pytest
import yaml
from charts import CI, RELEASE, container, of_kind, pod, render, the

from gossip_operator.manifests.metadata import NAME_LABEL, OPERATOR_NAME


def test_pods_have_the_name_by_which_jobs_admit_the_operator():
    labels = the(
        render("--set", "podLabels.app\\.kubernetes\\.io/name=x", "--set", "podLabels.a=b"),
        "Deployment",
    )["spec"]["template"]["metadata"]["labels"]

    assert labels[NAME_LABEL] == OPERATOR_NAME
    assert labels["a"] == "b"


def test_one_replica_needs_neither_budget_nor_distance():
    objects = render()

    assert of_kind(objects, "PodDisruptionBudget") == []
    assert "affinity" not in pod()
    assert "topologySpreadConstraints" not in pod()


def test_several_replicas_are_kept_apart_and_drained_one_by_one():
    values = CI / "high-availability-values.yaml"
    selector = the(render(values=values), "Deployment")["spec"]["selector"]

    budget = the(render(values=values), "PodDisruptionBudget")["spec"]
    assert (budget["maxUnavailable"], budget["selector"]) == (1, selector)
    apart = pod(values=values)["affinity"]["podAntiAffinity"]
    [term] = apart["requiredDuringSchedulingIgnoredDuringExecution"]
    assert (term["topologyKey"], term["labelSelector"]) == ("kubernetes.io/hostname", selector)
    [spread] = pod(values=values)["topologySpreadConstraints"]
    assert spread["topologyKey"] == "topology.kubernetes.io/zone"


def test_placement_of_the_users_replaces_the_charts():
    found = pod(values=CI / "everything-values.yaml", name="gossip")

    assert list(found["affinity"]) == ["nodeAffinity"]
    assert found["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"
    assert found["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "system"}


@pytest.mark.parametrize("name", ["operator", "test"])
def test_pods_are_as_restricted_as_the_manifests_are(name):
    found = pod() if name == "operator" else the(render(), "Pod", f"{RELEASE}-test")["spec"]
    base = yaml.safe_load(Path("manifests/base/deployment.yaml").read_text())
    expected = base["spec"]["template"]["spec"]

    assert found["securityContext"] == expected["securityContext"]
    [one], [other] = found["containers"], expected["containers"]
    assert one["securityContext"] == other["securityContext"]


def test_the_operators_pod_is_that_of_the_manifests():
    base = yaml.safe_load(Path("manifests/base/deployment.yaml").read_text())
    [expected] = base["spec"]["template"]["spec"]["containers"]
    found = container()

    same = ("command", "ports", "startupProbe", "livenessProbe", "readinessProbe", "resources")
    assert {key: found[key] for key in same} == {key: expected[key] for key in same}


def test_the_network_policy_admits_scrapers_and_lets_out_what_the_operator_needs():
    objects = render(values=CI / "everything-values.yaml")
    policy = the(objects, "NetworkPolicy", "gossip")["spec"]
    labels = the(objects, "Deployment", "gossip")["spec"]["template"]["metadata"]["labels"]

    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    [ingress] = policy["ingress"]
    assert ingress["ports"] == [{"port": "http", "protocol": "TCP"}]
    assert ingress["from"][0]["namespaceSelector"]["matchLabels"]
    dns, api, jobs = policy["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert {port["port"] for port in api["ports"]} == {6443}
    assert jobs["to"][0]["podSelector"]["matchLabels"] == {NAME_LABEL: "gossip-trainer"}


def test_an_empty_list_of_scrapers_admits_nobody():
    policy = the(render(values=CI / "locked-down-values.yaml"), "NetworkPolicy")["spec"]
    assert (policy["policyTypes"], policy["ingress"]) == (["Ingress"], [])
