"""The objects of a job beside its pods and its Secret."""

import pytest
from manifest_jobs import UID, children_of, job

from gossip_api.names import APPLIED_HASH_ANNOTATION, FIELD_MANAGER
from gossip_operator.manifests.metadata import OPERATOR_NAME, digest

KINDS = [
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "Service",
    "ConfigMap",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "PodMonitor",
]


def test_come_in_order_of_creation():
    assert list(children_of(job())) == KINDS


def test_have_no_pod_monitor_where_the_api_server_knows_none_or_the_user_wants_none():
    assert list(children_of(job(), serves_pod_monitors=False)) == KINDS[:-1]
    assert list(children_of(job(monitoring={"podMonitor": "Never"}))) == KINDS[:-1]


def test_give_no_rights_where_peers_are_found_by_dns():
    assert list(children_of(job(discovery={"source": "DNS"}))) == KINDS[3:]


@pytest.mark.parametrize("kind", KINDS)
def test_go_with_their_job_and_never_hold_up_its_deletion(kind):
    (owner,) = children_of(job())[kind]["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "gossip.training/v1alpha1",
        "kind": "GossipTrainingJob",
        "name": "mnist",
        "uid": UID,
        "controller": True,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_are_in_the_jobs_namespace_with_its_labels(kind):
    metadata = children_of(job())[kind]["metadata"]
    assert metadata["namespace"] == "team"
    assert metadata["labels"] == {
        "app.kubernetes.io/name": "gossip-trainer",
        "app.kubernetes.io/instance": "mnist",
        "app.kubernetes.io/managed-by": "gossip-operator",
        "app.kubernetes.io/part-of": "gossip-training",
        "gossip.training/job-name": "mnist",
        "gossip.training/job-uid": UID,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_carry_the_digest_of_the_rest_of_them(kind):
    child = children_of(job())[kind]
    assert child["metadata"]["annotations"] == {APPLIED_HASH_ANNOTATION: digest(child)}


def test_differ_in_digest_only_where_the_job_says_something_else():
    before, after = children_of(job()), children_of(job(workers={"minReplicas": 3}))
    changed = {kind for kind in KINDS if digest(before[kind]) != digest(after[kind])}
    assert changed == {"ConfigMap", "PodDisruptionBudget"}


def test_the_operators_name_is_one_word():
    assert OPERATOR_NAME == FIELD_MANAGER
