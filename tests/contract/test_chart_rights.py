"""The chart gives the rights of manifests/base, cluster-wide or in namespaces, and no others."""

from pathlib import Path

import pytest
import yaml
from charts import CI, is_hook, of_kind, render, the

BASE = Path("manifests/base")
NAMESPACED = CI / "namespaced-values.yaml"
LOCKED_DOWN = CI / "locked-down-values.yaml"
GLOBAL = "gossip-training.gossip-system"


def manifest(file, kind, name):
    documents = yaml.safe_load_all((BASE / file).read_text())
    return next(d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name))


OPERATOR_RULES = manifest("rbac.yaml", "ClusterRole", "gossip-operator")["rules"]


def permanent(objects, kind):
    return [one for one in of_kind(objects, kind) if not is_hook(one)]


def test_for_a_whole_cluster_the_operator_has_the_rules_of_the_manifests():
    objects = render()

    assert the(objects, "ClusterRole", GLOBAL)["rules"] == OPERATOR_RULES
    binding = the(objects, "ClusterRoleBinding", GLOBAL)
    assert binding["roleRef"]["name"] == GLOBAL
    [subject] = binding["subjects"]
    assert subject == {
        "kind": "ServiceAccount",
        "name": "gossip-training",
        "namespace": "gossip-system",
    }


def test_for_namespaces_it_has_the_same_in_each_of_them_but_for_nodes():
    objects = render(values=NAMESPACED)

    assert permanent(objects, "ClusterRole") == permanent(objects, "ClusterRoleBinding") == []
    without_nodes = [rule for rule in OPERATOR_RULES if rule["resources"] != ["nodes"]]
    assert len(without_nodes) == len(OPERATOR_RULES) - 1
    roles = [one for one in permanent(objects, "Role") if one["metadata"]["name"] == GLOBAL]
    assert [one["metadata"]["namespace"] for one in roles] == ["team-a", "team-b"]
    for role in roles:
        assert role["rules"] == without_nodes
    bindings = [r for r in permanent(objects, "RoleBinding") if r["roleRef"]["name"] == GLOBAL]
    assert [one["metadata"]["namespace"] for one in bindings] == ["team-a", "team-b"]
    for binding in bindings:
        assert binding["subjects"][0]["namespace"] == "gossip-system"


@pytest.mark.parametrize("values", [None, NAMESPACED], ids=["cluster", "namespaces"])
def test_the_lease_is_a_matter_of_the_releases_namespace(values):
    role = the(render(values=values), "Role", "gossip-training-leader")

    assert role["metadata"]["namespace"] == "gossip-system"
    assert role["rules"] == manifest("rbac.yaml", "Role", "gossip-operator-leader")["rules"]


@pytest.mark.parametrize("role", ["view", "edit"])
def test_users_get_the_roles_of_the_manifests_through_kubernetes_own(role):
    found = the(render(), "ClusterRole", f"{role}.{GLOBAL}")
    expected = manifest("user-roles.yaml", "ClusterRole", f"gossip-training-{role}")

    assert found["rules"] == expected["rules"]
    assert expected["metadata"]["labels"].items() <= found["metadata"]["labels"].items()


def test_the_test_may_submit_and_follow_jobs_where_it_trains_and_nothing_else():
    rules = [
        {
            "apiGroups": ["gossip.training"],
            "resources": ["gossiptrainingjobs"],
            "verbs": ["get", "list", "watch", "create", "patch"],
        }
    ]
    for values, namespace in ((None, "gossip-system"), (NAMESPACED, "team-a")):
        role = the(render(values=values), "Role", f"test.{GLOBAL}")
        assert role["metadata"]["namespace"] == namespace
        assert role["rules"] == rules


def test_where_rights_come_from_elsewhere_none_are_made():
    kinds = {one["kind"] for one in render(values=LOCKED_DOWN)}

    assert kinds == {"Deployment", "NetworkPolicy"}
    pod = the(render(values=LOCKED_DOWN), "Deployment")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "prepared"
