"""Where pods go."""

import pytest
from manifest_jobs import UID, job, pod_of, templated, trainer_template

from gossip_api.names import Role

LOST = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]


def tolerations(*given):
    spec = pod_of(templated(trainer_template(tolerations=list(given))))["spec"]
    return spec["tolerations"]


def test_pods_of_a_role_prefer_different_nodes_and_zones():
    constraints = pod_of(job())["spec"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in constraints] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    for constraint in constraints:
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
        assert constraint["labelSelector"]["matchLabels"] == {
            "gossip.training/job-name": "mnist",
            "gossip.training/job-uid": UID,
            "gossip.training/role": "worker",
        }


def test_pods_leave_a_lost_node_after_half_a_minute():
    assert [(each["key"], each["tolerationSeconds"]) for each in tolerations()] == [
        (key, 30) for key in LOST
    ]


def test_other_tolerations_of_the_user_stay_beside_that():
    gpu = {"key": "nvidia.com/gpu", "operator": "Exists"}
    assert [each["key"] for each in tolerations(gpu)] == ["nvidia.com/gpu", *LOST]


@pytest.mark.parametrize("key", LOST)
def test_what_the_user_says_of_lost_nodes_holds(key):
    own = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 600}
    found = tolerations(own)
    assert [each for each in found if each["key"] == key] == [own]
    assert len(found) == 2


def test_a_toleration_of_every_taint_is_about_lost_nodes_too():
    assert tolerations({"operator": "Exists"}) == [{"operator": "Exists"}]


def queued(**more):
    return job(labels={"kueue.x-k8s.io/queue-name": "team-a"}, **more)


def test_pods_of_a_job_without_a_queue_know_nothing_of_kueue():
    pod = pod_of(job(labels={"kueue.x-k8s.io/priority-class": "high"}))
    assert not any("kueue" in key for key in pod["metadata"]["labels"])
    assert "annotations" not in pod["metadata"]
    assert "schedulingGates" not in pod["spec"]


def test_pods_of_a_queued_job_wait_for_kueue_as_one_group():
    of = queued(strategy={"type": "ElasticAveraging"}, server={"shards": 2})
    for role in Role:
        pod = pod_of(of, role)
        assert pod["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
        assert pod["metadata"]["labels"]["kueue.x-k8s.io/pod-group-name"] == "mnist"
        assert pod["metadata"]["annotations"] == {
            "kueue.x-k8s.io/pod-group-total-count": str(4 + 2 + 1)
        }
        assert pod["spec"]["schedulingGates"] == [{"name": "kueue.x-k8s.io/admission"}]


def test_kueues_other_labels_of_a_queued_job_pass_through():
    labels = {"kueue.x-k8s.io/queue-name": "q", "kueue.x-k8s.io/priority-class": "high"}
    found = pod_of(job(labels=labels | {"team": "a"}))["metadata"]["labels"]
    assert labels.items() <= found.items()
    assert "team" not in found


def test_the_gate_stands_beside_the_users_own_and_only_once():
    gates = [{"name": "example.com/wait"}, {"name": "kueue.x-k8s.io/admission"}]
    spec = trainer_template(schedulingGates=gates)
    of = queued(workers={"template": spec})
    assert pod_of(of)["spec"]["schedulingGates"] == gates
