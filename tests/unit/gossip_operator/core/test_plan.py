"""The plan as a whole: what is applied, refused and left alone."""

import json
from dataclasses import replace

import pytest
from planned_world import START, UID, World, running, worker

from gossip_api.objects import status_to_object
from gossip_api.reasons import Reason
from gossip_operator.core.observed import JobView, Observed, Refusal
from gossip_operator.core.plan import plan


def test_a_new_job_gets_its_children_its_credentials_and_its_pods():
    made = World(replicas=2).reconcile()
    kinds = [manifest["kind"] for manifest in made.apply]
    assert kinds == [
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "Service",
        "ConfigMap",
        "NetworkPolicy",
        "PodDisruptionBudget",
    ]
    assert made.issue_credentials
    assert len(made.create) == 3


def test_an_observation_of_what_was_done_needs_nothing():
    world = World()
    assert world.settle() <= 3
    assert world.reconcile().is_empty


def test_only_the_child_that_changed_is_applied():
    world = running()
    world.applied["Service", "mnist-peers"] = "other"
    assert [manifest["kind"] for manifest in world.reconcile().apply] == ["Service"]


def test_a_child_that_is_gone_or_not_ours_is_applied():
    world = running()
    del world.applied["Role", "mnist-peers"]
    world.applied["ConfigMap", "mnist-spec"] = None
    assert [manifest["kind"] for manifest in world.reconcile().apply] == ["Role", "ConfigMap"]


def test_a_lost_secret_is_made_anew():
    world = running()
    world.has_credentials = False
    assert world.reconcile().issue_credentials


def test_an_operator_that_is_started_anew_does_nothing():
    world = running()
    world.forget()
    made = world.reconcile()
    assert made.is_empty


def test_another_default_image_touches_no_pod_that_is_there():
    made = plan(running().observe(), default_image="registry.example/trainer:next")
    assert made.is_empty


def test_nothing_is_made_while_a_refusal_is_fresh_but_what_is_in_the_way_goes():
    world = running()
    world.has_credentials = False
    world.applied.clear()
    world.end("mnist-worker-0-0", 1)
    world.crash_loop("mnist-worker-1-0")
    refusal = Refusal("Pods", Reason.FORBIDDEN, "not allowed", world.now + 20)
    world.refusals = (refusal,)
    made = world.reconcile()
    assert (made.create, made.apply, made.issue_credentials) == ((), (), False)
    assert made.look_again == pytest.approx(20)
    made = world.reconcile()
    assert [deletion.name for deletion in made.delete] == ["mnist-worker-1-0"]


def test_a_template_that_is_refused_makes_the_job_not_accepted_with_the_servers_words():
    world = World()
    refusal = Refusal("Pods", Reason.INVALID_POD_TEMPLATE, "spec.x: Invalid value", START + 300)
    made = plan(world.observe(refusals=(refusal,)))
    accepted = next(c for c in made.status.conditions if c.type == "Accepted")
    assert (accepted.status, accepted.reason) == ("False", "InvalidPodTemplate")
    assert "spec.x: Invalid value" in accepted.message
    assert [notice.reason for notice in made.notices] == ["Refused"]


@pytest.mark.parametrize("reason", [Reason.CLAIM_NOT_FOUND, Reason.CLAIM_NOT_SHARED])
def test_a_claim_that_is_of_no_use_makes_the_job_not_accepted_until_it_is(reason):
    world = World()
    world.refusals = (Refusal("PersistentVolumeClaim models", reason, "it is not", START + 5),)
    world.settle()
    accepted = world.condition("Accepted")
    assert (accepted.status, accepted.reason) == ("False", reason)
    assert accepted.message == "PersistentVolumeClaim models: it is not"
    assert [notice.reason for notice in world.notices] == ["Refused"]
    assert world.pods == {}
    world.pass_time(6)
    world.settle()
    assert world.condition("Accepted").status == "True"
    assert len(world.pods) == 4


def test_a_refused_template_in_mid_run_makes_nobody_forget_that_training_began():
    world = running()
    began = world.status.began_time
    world.delete("mnist-worker-0-0")
    refusal = Refusal("Pods", Reason.INVALID_POD_TEMPLATE, "denied", world.now + 300)
    world.refusals = (refusal,)
    world.settle()
    assert world.condition("Accepted").status == "False"
    assert world.status.began_time == began


def unreadable(world):
    seen = world.observe()
    return replace(seen, job=replace(seen.job, spec=None, problem="spec.workers: is wrong"))


def test_a_job_that_cannot_be_read_is_told_so_and_gets_nothing():
    made = plan(unreadable(World()))
    assert (made.create, made.apply, made.delete) == ((), (), ())
    accepted = made.status.conditions[0]
    assert (accepted.type, accepted.status, accepted.reason) == ("Accepted", "False", "InvalidSpec")
    assert accepted.message == "spec.workers: is wrong"
    assert [notice.reason for notice in made.notices] == ["Refused"]


def test_a_running_job_that_cannot_be_read_any_more_is_left_as_it_is():
    world = running()
    before = world.status
    made = plan(unreadable(world))
    assert made.delete == ()
    changed = {"conditions"}
    assert made.status.model_dump(exclude=changed) == before.model_dump(exclude=changed)
    assert [c.status for c in made.status.conditions[1:]] == [
        c.status for c in before.conditions[1:]
    ]
    world._write(made.status)
    assert plan(unreadable(world)).is_empty


def test_a_job_that_runs_is_looked_at_every_thirty_seconds():
    assert running().reconcile().look_again == 30


def test_the_status_is_read_back_as_it_was_written_and_so_not_written_again():
    world = running(strategy="ElasticAveraging")
    world.end("mnist-worker-0-0", 1)
    world.evict("mnist-server-0-0")
    world.pass_time(0.7)
    world.settle()  # the world compares what it reads with what it wrote
    assert world.reconcile().is_empty


def test_restarts_only_grow():
    world = running()
    for _ in range(2):
        world.restart("mnist-worker-0-0")
    world.settle()
    assert world.status.restarts == 2
    world.delete("mnist-worker-0-0")
    world.settle()
    assert world.status.restarts == 3
    del world.pods["mnist-worker-0-0"]
    world.settle()
    assert world.status.restarts == 3


def test_a_thousand_workers_that_were_all_replaced_fit_into_a_small_status():
    world = World(replicas=1000)
    view = JobView("team", "mnist", UID, 1, world.spec(), world.status, START)
    ledger = tuple(
        {"role": "worker", "index": index, "incarnation": 1, "failures": 1}
        | {"failedAt": "2026-01-01T00:00:00Z", "failedIncarnation": 0}
        for index in range(1000)
    )
    status = view.status.model_validate({"ledger": ledger})
    made = plan(Observed(START, replace(view, status=status)))
    assert made.create[1].member == worker(0, 2)
    assert len(json.dumps(status_to_object(made.status))) < 250_000
