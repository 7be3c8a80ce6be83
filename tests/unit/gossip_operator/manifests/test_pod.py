"""The pods of a job."""

import re

import pytest
from manifest_jobs import UID, job, pod_of, templated, trainer_template

from gossip_api.names import JOB_NAME_MAX_LENGTH, Member, Role, parse_pod_name

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
SERVED = {"strategy": {"type": "ElasticAveraging"}}


def spec(**pod_spec):
    return pod_of(templated(trainer_template(**pod_spec)))["spec"]


def test_is_named_by_role_index_and_incarnation():
    pod = pod_of(job(), index=3, incarnation=2)
    assert pod["metadata"]["name"] == "mnist-worker-3-2"
    assert (
        pod["metadata"]["labels"].items()
        >= {
            "gossip.training/job-name": "mnist",
            "gossip.training/job-uid": UID,
            "gossip.training/role": "worker",
            "gossip.training/index": "3",
            "gossip.training/incarnation": "2",
            "app.kubernetes.io/component": "worker",
            "app.kubernetes.io/instance": "mnist",
        }.items()
    )


def test_a_rank_keeps_its_host_name_over_incarnations():
    one, other = pod_of(job(), index=3), pod_of(job(), index=3, incarnation=1)
    assert one["spec"]["hostname"] == other["spec"]["hostname"] == "mnist-worker-3"
    assert one["spec"]["subdomain"] == "mnist-peers"


@pytest.mark.parametrize("role", Role)
def test_names_and_labels_fit_for_the_longest_job_and_the_highest_rank(role):
    name = "j" * JOB_NAME_MAX_LENGTH
    pod = pod_of(job(name, **SERVED), role, 99_999, 999)
    for text in (pod["metadata"]["name"], pod["spec"]["hostname"], pod["spec"]["subdomain"]):
        assert DNS_LABEL.fullmatch(text), text
    assert parse_pod_name(name, pod["metadata"]["name"]) == Member(role, 99_999, 999)
    assert all(len(value) <= 63 for value in pod["metadata"]["labels"].values())


def test_goes_with_its_job_and_never_holds_up_its_deletion():
    (owner,) = pod_of(job())["metadata"]["ownerReferences"]
    assert owner["uid"] == UID
    assert owner["controller"] is True
    assert "blockOwnerDeletion" not in owner


def test_is_hardened_where_the_user_says_nothing():
    assert spec()["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec()["enableServiceLinks"] is False


def test_runs_as_whom_the_user_says_with_the_other_defaults():
    found = spec(securityContext={"runAsUser": 1000})["securityContext"]
    assert found["runAsUser"] == 1000
    assert found["runAsNonRoot"] is True
    assert found["fsGroup"] == 65532


def test_runs_as_root_if_the_user_says_so():
    assert "runAsNonRoot" not in spec(securityContext={"runAsUser": 0})["securityContext"]


def test_has_a_minute_to_hand_over_unless_the_user_says_how_long():
    assert spec()["terminationGracePeriodSeconds"] == 60
    assert spec(terminationGracePeriodSeconds=600)["terminationGracePeriodSeconds"] == 600


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "OnFailure"),
        ({"restartPolicy": "Never"}, "Never"),
        ({"restartPolicy": "Always"}, "OnFailure"),
    ],
)
def test_is_never_restarted_when_it_is_done(given, found):
    assert spec(**given)["restartPolicy"] == found


def test_passes_the_users_pod_on():
    own = {
        "nodeSelector": {"pool": "a"},
        "affinity": {"nodeAffinity": {}},
        "imagePullSecrets": [{"name": "pull"}],
        "priorityClassName": "high",
        "runtimeClassName": "nvidia",
        "hostNetwork": True,
        "initContainers": [{"name": "fetch", "image": "images.example/fetch:1"}],
        "topologySpreadConstraints": [],
        "serviceAccountName": "reads-buckets",
        "automountServiceAccountToken": True,
    }
    assert own.items() <= spec(**own).items()


def test_passes_the_users_labels_and_annotations_on_but_not_over_its_own():
    template = {
        "metadata": {
            "labels": {"team": "a", "gossip.training/role": "evaluator"},
            "annotations": {"example.com/scrape": "no"},
        }
    }
    metadata = pod_of(templated(template))["metadata"]
    assert metadata["labels"]["team"] == "a"
    assert metadata["labels"]["gossip.training/role"] == "worker"
    assert metadata["annotations"] == {"example.com/scrape": "no"}


def test_two_pods_share_nothing_that_could_be_changed():
    one, other = pod_of(job()), pod_of(job())
    one["spec"]["containers"][0]["securityContext"]["capabilities"]["drop"].append("X")
    one["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] = "/"
    assert other == pod_of(job())
