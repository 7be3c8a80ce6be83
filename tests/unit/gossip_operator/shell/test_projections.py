import pytest
from objects import CREATED_SECONDS, raw_job, raw_pod

from gossip_api.names import Member, Role
from gossip_api.process import LastWords
from gossip_operator.core.claims import Claim
from gossip_operator.core.observed import ContainerView, Ended
from gossip_operator.shell.projections import Key, claim_view, job_view, lost_since, owned_pod

LATER = "2026-01-02T03:05:05Z"
LATER_SECONDS = CREATED_SECONDS + 60


def view(status, **metadata):
    owned = owned_pod(raw_pod(3, status=status, **metadata))
    assert owned is not None
    return owned.view


def trainer(status, *others, **more):
    statuses = [*others, {"name": "trainer", "restartCount": 0, **status}]
    return view({"phase": "Running", "containerStatuses": statuses, **more}).trainer


def test_a_pod_is_known_by_its_job_its_owner_and_its_member():
    owned = owned_pod(raw_pod(3))
    assert owned is not None
    assert owned.job == Key("default", "digits")
    assert owned.owner == "job-1"
    assert owned.view.member == Member(Role.WORKER, 3, 0)
    assert owned.view.created == CREATED_SECONDS


@pytest.mark.parametrize(
    "metadata",
    [{"name": "digits-debug"}, {"labels": {}}, {"ownerReferences": []}],
    ids=["name", "label", "owner"],
)
def test_a_pod_that_the_operator_did_not_make_is_nobodys(metadata):
    assert owned_pod(raw_pod(3, **metadata)) is None


def test_before_the_kubelet_has_said_anything_there_is_no_container():
    pod = view({"phase": "Pending"})
    assert pod.trainer is None
    assert not pod.ready
    assert pod.ip == ""


def test_a_running_pod_shows_its_address_readiness_and_start():
    pod = view(
        {
            "phase": "Running",
            "podIP": "10.0.0.7",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {
                    "name": "trainer",
                    "restartCount": 1,
                    "state": {"running": {"startedAt": LATER}},
                }
            ],
        }
    )
    assert (pod.ip, pod.ready, pod.node) == ("10.0.0.7", True, "node-1")
    assert pod.trainer == ContainerView("running", restarts=1, started=LATER_SECONDS)


def test_a_pod_was_deleted_a_grace_period_before_its_timestamp():
    pod = view({}, deletionTimestamp=LATER, deletionGracePeriodSeconds=60)
    assert pod.deleted == CREATED_SECONDS


@pytest.mark.parametrize(
    ("terminated", "ended"),
    [
        (
            {"exitCode": 137, "reason": "OOMKilled", "finishedAt": LATER},
            Ended(137, "OOMKilled", LATER_SECONDS),
        ),
        (
            {
                "exitCode": 0,
                "reason": "Completed",
                "finishedAt": LATER,
                "message": '{"step": 5, "finished": true}',
            },
            Ended(0, "Completed", LATER_SECONDS, LastWords(step=5, finished=True)),
        ),
        (
            {
                "exitCode": 1,
                "finishedAt": LATER,
                "message": 'Traceback (most recent call last)\nValueError: no\n{"event":"x"}\n\n',
            },
            Ended(1, "", LATER_SECONDS, last_line="ValueError: no"),
        ),
        (
            {"exitCode": 137, "reason": "OOMKilled", "finishedAt": LATER, "message": "step 7"},
            Ended(137, "OOMKilled", LATER_SECONDS),
        ),
        (
            {"exitCode": 137, "reason": "ContainerStatusUnknown", "finishedAt": None},
            Ended(137, "ContainerStatusUnknown", CREATED_SECONDS),
        ),
    ],
    ids=["OOM", "last words", "log as message", "log of one that was killed", "lost track of"],
)
def test_how_a_container_ended_is_kept(terminated, ended):
    assert trainer({"state": {"terminated": terminated}}) == ContainerView(
        "terminated", ended=ended
    )


def test_a_container_that_waits_for_its_next_try_still_says_how_it_ended():
    container = trainer(
        {
            "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": LATER}},
        }
    )
    assert container == ContainerView(
        "waiting",
        "CrashLoopBackOff",
        "back-off 20s",
        restarts=2,
        ended=Ended(1, "Error", LATER_SECONDS),
    )


def test_an_image_that_cannot_be_pulled_is_told_in_kubernetes_words():
    container = trainer({"state": {"waiting": {"reason": "ErrImagePull", "message": "no such"}}})
    assert (container.reason, container.message) == ("ErrImagePull", "no such")


def test_a_sidecar_says_nothing_about_the_trainer():
    proxy = {"name": "proxy", "restartCount": 9, "state": {"terminated": {"exitCode": 1}}}
    container = trainer({"state": {"running": {"startedAt": LATER}}}, proxy)
    assert (container.state, container.restarts) == ("running", 0)


def test_an_init_container_in_trouble_is_why_the_trainer_waits():
    init = {"name": "fetch", "state": {"waiting": {"reason": "ErrImagePull", "message": "gone"}}}
    container = trainer(
        {"state": {"waiting": {"reason": "PodInitializing"}}}, initContainerStatuses=[init]
    )
    assert container.reason == "ErrImagePull"
    assert container.message == "init container fetch: gone"


def test_an_evicted_pod_says_why():
    pod = view(
        {
            "phase": "Failed",
            "reason": "Evicted",
            "message": "low on memory",
            "conditions": [
                {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}
            ],
        }
    )
    assert (pod.reason, pod.message) == ("Evicted", "low on memory")
    assert pod.disruption == "TerminationByKubelet"


def test_a_disruption_that_was_called_off_is_none():
    conditions = [{"type": "DisruptionTarget", "status": "False", "reason": "Preemption"}]
    assert view({"conditions": conditions}).disruption == ""


def test_a_pod_without_a_node_says_what_the_scheduler_said():
    conditions = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}
    ]
    assert view({"conditions": conditions}).unscheduled == "0/3"


def test_a_pod_that_a_queue_keeps_is_gated_and_not_without_a_node():
    conditions = [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]
    raw = raw_pod(3, status={"conditions": conditions})
    raw["spec"] = {**raw.get("spec", {}), "schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]}
    found = owned_pod(raw)
    assert found is not None
    assert (found.view.gated, found.view.unscheduled) == (True, "")
    assert not view({}).gated


def test_a_pod_says_whether_its_containers_are_started_again():
    raw = raw_pod(3)
    for policy, never in [("Never", True), ("OnFailure", False)]:
        raw["spec"] = {**raw.get("spec", {}), "restartPolicy": policy}
        found = owned_pod(raw)
        assert found is not None
        assert found.view.never_restarts is never


@pytest.mark.parametrize(
    ("taints", "since"),
    [
        (None, None),
        ([{"key": "node.kubernetes.io/not-ready"}], None),
        ([{"key": "node.kubernetes.io/unreachable", "timeAdded": LATER}], LATER_SECONDS),
        ([{"key": "node.kubernetes.io/unreachable"}], 0.0),
    ],
)
def test_a_node_is_lost_while_kubernetes_taints_it_unreachable(taints, since):
    assert lost_since({"metadata": {"name": "n"}, "spec": {"taints": taints}}) == since


def test_a_job_is_read_with_its_spec_and_status():
    view = job_view({**raw_job(), "status": {"state": "Running"}})
    assert view.spec is not None
    assert view.status.state == "Running"
    assert (view.uid, view.generation, view.terminating) == ("job-1", 1, False)


def test_a_job_that_the_models_refuse_says_why():
    raw = raw_job()
    raw["spec"]["strategy"]["type"] = "Telepathy"
    view = job_view(raw)
    assert view.spec is None
    assert "spec.strategy.type" in view.problem


def test_a_claim_shows_who_may_mount_it_and_whether_it_is_going():
    raw = {"metadata": {"name": "models"}, "spec": {"accessModes": ["ReadWriteMany"]}}
    assert claim_view(raw) == Claim(("ReadWriteMany",))
    raw["metadata"]["deletionTimestamp"] = LATER
    assert claim_view(raw) == Claim(("ReadWriteMany",), terminating=True)
