import asyncio
import logging
from dataclasses import replace

import pytest
from in_memory_kube import InMemoryKube
from objects import owned_by, raw_child, raw_job, raw_pod

from gossip_api.metrics.operator import ACTIONS_TAKEN
from gossip_api.names import APPLIED_HASH_ANNOTATION, JOB_NAME_LABEL, Member, Role
from gossip_api.reasons import Reason
from gossip_api.status import JobStatus
from gossip_operator.core.actions import CreatePod, DeletePod, Notice, Plan
from gossip_operator.shell.applier import LARGEST_BATCH, Applier, slow_start
from gossip_operator.shell.errors import ApiError, NamespaceTerminatingError, NotLeadingError
from gossip_operator.shell.inventory import Inventory
from gossip_operator.shell.mirror import Mirror
from gossip_operator.shell.projections import Key
from gossip_operator.shell.recorder import Recorder
from gossip_operator.shell.refusals import Refusals

KEY = Key("default", "digits")
QUOTA = ApiError(403, "Forbidden", "exceeded quota: few")


class Bench:
    """A job, and all that its applier works on."""

    def __init__(self):
        self.kube = InMemoryKube()
        self.changed = []
        self.mirror = Mirror(self.changed.append)
        self.inventory = Inventory(self.changed.append)
        self.refusals = Refusals()
        self.told = []
        self.done = []
        self.now = 1_800_000_000.0
        recorder = Recorder(self.kube, instance="me")
        recorder.tell = lambda job, notice: self.told.append(notice)
        self.applier = Applier(
            self.kube,
            mirror=self.mirror,
            inventory=self.inventory,
            refusals=self.refusals,
            recorder=recorder,
            clock=lambda: self.now,
            did=self.done.append,
        )
        job = raw_job()
        self.kube.add("GossipTrainingJob", job)
        self.mirror.take_job(job)
        self.changed.clear()

    def pass_time(self, seconds):
        self.now += seconds

    @property
    def job(self):
        return self.mirror.job(KEY)

    def carry_out(self, **plan):
        return asyncio.run(self.applier.carry_out(self.job, Plan(**plan)))

    def refuse(self, error, *, verb="create", after=0, kind="Pod"):
        seen = []

        def refuse(called, found, _):
            if (called, found) == (verb, kind):
                seen.append(1)
                if len(seen) > after:
                    raise error

        self.kube.refuse = refuse

    @property
    def reason(self):
        (refusal,) = self.refusals.current(self.job, self.now)
        return refusal.reason


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def saving():
    """A bench whose job saves its checkpoints in the claim `models`."""
    bench = Bench()
    job = raw_job(version=2)
    job["spec"]["checkpoint"] = {"storage": {"claimName": "models"}}
    bench.kube.add("GossipTrainingJob", job)
    bench.mirror.take_job(job)
    return bench


def claim(*modes):
    return {"metadata": {"name": "models"}, "spec": {"accessModes": list(modes)}}


def pods(number):
    return tuple(CreatePod(Member(Role.WORKER, n, 0), raw_pod(n)) for n in range(number))


def service(digest="new"):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "namespace": "default",
            "name": "digits-peers",
            "labels": {JOB_NAME_LABEL: "digits"},
            "annotations": {APPLIED_HASH_ANNOTATION: digest},
            "ownerReferences": [owned_by("job-1")],
        },
    }


def test_what_was_created_is_seen_at_once(bench):
    assert bench.carry_out(create=pods(3))
    assert [pod.member.index for pod in bench.mirror.pods("job-1")] == [0, 1, 2]
    assert bench.changed == [KEY] * 3


def test_pods_are_created_in_growing_batches():
    sizes = [len(batch) for batch in slow_start(pods(200))]
    assert sizes == [1, 2, 4, 8, 16, 32, LARGEST_BATCH, LARGEST_BATCH, 37]


def test_creation_stops_at_the_batch_of_the_first_refusal(bench):
    bench.refuse(QUOTA, after=2)
    assert not bench.carry_out(create=pods(20))
    assert len(bench.mirror.pods("job-1")) == 2
    assert len(bench.kube.writes) == 3  # 1 and 2, of which one was refused
    assert bench.reason is Reason.QUOTA_EXCEEDED


def test_after_a_refusal_nothing_is_told_that_no_longer_holds(bench):
    bench.refuse(QUOTA)
    notice = Notice("Normal", "WorkerReplaced", "worker 0 was replaced")
    bench.carry_out(create=pods(1), status=JobStatus(state="Running"), notices=(notice,))
    assert bench.told == []
    assert bench.job.status.state is None


def test_a_replacement_is_told_though_the_status_is_refused(bench):
    notice = Notice("Normal", "WorkerReplaced", "worker 0 was replaced")
    bench.refuse(
        ApiError(409, "Conflict", "it has changed"), verb="apply", kind="GossipTrainingJob"
    )
    (pod,) = pods(1)
    with pytest.raises(ApiError):
        bench.carry_out(create=(replace(pod, notice=notice),), status=JobStatus(state="Running"))
    assert bench.told == [notice]


def test_what_was_refused_is_not_asked_for_again_before_its_time(bench):
    bench.refuse(QUOTA)
    bench.carry_out(create=pods(1))
    bench.kube.calls.clear()
    assert bench.carry_out(create=pods(1), apply=(service(),), issue_credentials=True)
    assert bench.kube.calls == []


@pytest.mark.parametrize(
    "error",
    [
        ApiError(503, "ServiceUnavailable", "later"),
        NamespaceTerminatingError(403, "Forbidden", "it is being terminated"),
    ],
    ids=["busy", "going"],
)
def test_what_is_no_fault_of_the_job_is_raised_and_no_refusal(bench, error):
    bench.refuse(error, after=1)
    with pytest.raises(type(error)):
        bench.carry_out(create=pods(3))
    assert bench.refusals.current(bench.job, 0.0) == ()
    assert len(bench.mirror.pods("job-1")) == 1


def test_a_replica_that_does_not_lead_stops_in_the_midst(bench):
    bench.refuse(NotLeadingError("another may lead"))
    with pytest.raises(NotLeadingError):
        bench.carry_out(create=pods(1), status=JobStatus(state="Running"))


def test_a_pod_that_was_created_after_all_is_taken_in(bench):
    bench.kube.add("Pod", raw_pod(0))
    assert bench.carry_out(create=pods(1))
    assert len(bench.mirror.pods("job-1")) == 1


def test_a_pod_of_an_earlier_job_of_the_name_must_go_first(bench):
    bench.kube.add("Pod", raw_pod(0, owner="job-0"))
    assert not bench.carry_out(create=pods(1))
    assert bench.reason is Reason.CREATE_FAILED


def test_a_deleted_pod_counts_as_deleted_at_once(bench):
    bench.kube.add("Pod", raw_pod(0))
    bench.mirror.take_pod(raw_pod(0))
    bench.carry_out(delete=(DeletePod(raw_pod(0)["metadata"]["name"], "pod-0", "scaled down"),))
    assert bench.mirror.pods("job-1")[0].deleted is not None


@pytest.mark.parametrize("there", [None, "another"])
def test_a_pod_that_is_gone_or_anothers_by_now_is_dropped(bench, there):
    bench.mirror.take_pod(raw_pod(0))
    if there:
        bench.kube.add("Pod", raw_pod(0, uid=there))
    bench.carry_out(delete=(DeletePod(raw_pod(0)["metadata"]["name"], "pod-0", "scaled down"),))
    assert bench.mirror.pods("job-1") == ()


def test_a_child_is_applied_and_known_with_its_digest(bench):
    assert bench.carry_out(apply=(service("d1"),))
    assert bench.inventory.applied(KEY, "job-1") == {("Service", "digits-peers"): "d1"}


def test_a_child_that_is_known_is_applied_without_looking(bench):
    bench.inventory.take("Service", raw_child("digits-peers"))
    bench.carry_out(apply=(service(),))
    assert bench.kube.calls == [("apply", "Service digits-peers")]


@pytest.mark.parametrize("owner", [None, "job-0"])
def test_what_somebody_else_made_is_not_taken_over(bench, owner):
    bench.kube.add("Service", {"metadata": raw_child("digits-peers", owner=owner)})
    assert not bench.carry_out(apply=(service(),))
    assert bench.kube.writes == []
    assert bench.reason is Reason.CREATE_FAILED
    assert bench.inventory.applied(KEY, "job-1") == {("Service", "digits-peers"): None}


def test_what_stood_in_the_way_and_is_gone_does_so_no_longer(bench):
    bench.inventory.take("Service", raw_child("digits-peers", uid="old", owner="job-0"))
    assert bench.carry_out(apply=(service("d1"),))
    assert bench.inventory.applied(KEY, "job-1") == {("Service", "digits-peers"): "d1"}


def test_credentials_are_made_once_and_their_key_is_in_no_log(bench, caplog):
    caplog.set_level(logging.DEBUG)
    assert bench.carry_out(issue_credentials=True)
    assert bench.inventory.has_credentials(KEY, "job-1")
    secret = bench.kube.objects["Secret", "digits-tls"]
    assert secret["data"]["tls.key"]
    assert secret["data"]["tls.key"] not in caplog.text
    assert bench.kube.writes == [("create", "Secret digits-tls")]


def test_credentials_that_are_there_are_kept(bench):
    there = {"metadata": raw_child("digits-tls"), "data": {"tls.key": "first"}}
    bench.kube.add("Secret", there)
    assert bench.carry_out(issue_credentials=True)
    assert bench.inventory.has_credentials(KEY, "job-1")
    assert bench.kube.objects["Secret", "digits-tls"]["data"] == {"tls.key": "first"}


def test_anothers_secret_is_not_used(bench):
    bench.kube.add("Secret", {"metadata": raw_child("digits-tls", owner="job-0")})
    assert not bench.carry_out(issue_credentials=True, create=pods(1))
    assert bench.mirror.pods("job-1") == ()
    assert not bench.inventory.has_credentials(KEY, "job-1")


def test_the_status_is_written_whole_and_seen_at_once(bench):
    assert bench.carry_out(status=JobStatus(state="Running"))
    assert bench.job.status.state == "Running"


def test_a_status_of_a_job_that_changed_meanwhile_is_not_written(bench):
    changed = raw_job(version=2, generation=2)
    bench.kube.add("GossipTrainingJob", changed)
    with pytest.raises(ApiError):
        bench.carry_out(status=JobStatus(state="Running"))
    assert bench.job.generation == 2
    assert "status" not in bench.kube.objects["GossipTrainingJob", "digits"]


def test_a_status_never_reaches_the_next_job_of_the_name(bench):
    bench.kube.add("GossipTrainingJob", raw_job(uid="job-2", version=9))
    with pytest.raises(ApiError):
        bench.carry_out(status=JobStatus(state="Failed"))
    assert bench.job.uid == "job-2"


def test_a_job_that_is_gone_needs_no_status(bench):
    del bench.kube.objects["GossipTrainingJob", "digits"]
    assert bench.carry_out(status=JobStatus(state="Running"))
    assert bench.job is None


def test_a_job_whose_time_is_over_is_deleted_by_uid(bench):
    bench.carry_out(delete_job=True)
    assert bench.kube.writes == [("delete", "GossipTrainingJob digits")]


def test_what_was_carried_out_is_counted_by_what_it_was(bench):
    bench.kube.add("Pod", raw_pod(5))
    bench.mirror.take_pod(raw_pod(5))
    gone = DeletePod(raw_pod(5)["metadata"]["name"], "pod-5", "scaled down")
    status = JobStatus(state="Running")
    bench.carry_out(delete=(gone,), apply=(service(),), create=pods(2), status=status)
    counted = ["delete_pod", "apply_child", "create_pod", "create_pod", "write_status"]
    assert bench.done == counted
    bench.carry_out(delete_job=True)
    assert bench.done == [*counted, "delete_job"]
    assert set(bench.done) <= set(ACTIONS_TAKEN)


def test_what_was_there_already_or_gone_is_not_counted(bench):
    bench.kube.add("Pod", raw_pod(0))
    bench.mirror.take_pod(raw_pod(1))
    gone = DeletePod(raw_pod(1)["metadata"]["name"], "pod-1", "scaled down")
    bench.carry_out(delete=(gone,), create=pods(1))
    assert bench.done == []


def test_a_claim_is_looked_at_before_anything_is_made(saving):
    saving.kube.add("PersistentVolumeClaim", claim("ReadWriteOnce"))
    assert not saving.carry_out(create=pods(2), apply=(service(),), issue_credentials=True)
    assert saving.reason is Reason.CLAIM_NOT_SHARED
    assert saving.kube.writes == []


def test_pods_come_once_the_claim_is_there(saving):
    assert not saving.carry_out(create=pods(2))
    assert saving.reason is Reason.CLAIM_NOT_FOUND
    saving.kube.add("PersistentVolumeClaim", claim("ReadWriteMany"))
    saving.pass_time(60)
    assert saving.carry_out(create=pods(2))
    assert len(saving.mirror.pods("job-1")) == 2
    assert saving.refusals.current(saving.job, saving.now) == ()


def test_an_operator_that_may_not_read_claims_says_so(saving):
    saving.refuse(
        ApiError(403, "Forbidden", "cannot get persistentvolumeclaims"),
        verb="get",
        kind="PersistentVolumeClaim",
    )
    assert not saving.carry_out(create=pods(1))
    assert saving.reason is Reason.FORBIDDEN


def test_no_claim_is_looked_at_where_no_pod_is_to_come_or_no_claim_is_named(saving, bench):
    assert saving.carry_out(apply=(service(),))
    assert bench.carry_out(create=pods(1))
    assert [call for call in saving.kube.calls + bench.kube.calls if call[0] == "get"] == []
