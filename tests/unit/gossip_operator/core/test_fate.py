"""What became of a pod, told from what Kubernetes says of it."""

from dataclasses import replace

import pytest
from planned_world import SCORE, evaluator, worker

from gossip_api.process import LastWords
from gossip_operator.core.fate import Fate, judge
from gossip_operator.core.observed import ContainerView, Ended, PodView

POD = PodView("mnist-worker-0-0", "uid", worker(0), "Running", created=100.0, node="node-0")
UP = ContainerView("running", started=110.0)
DONE = LastWords(finished=True)
LEFT = LastWords(finished=False)


def down(exit_code, words=None, *, reason="Error", **fields):
    return ContainerView("terminated", ended=Ended(exit_code, reason, 200.0, words), **fields)


def waiting(reason, **fields):
    return ContainerView("waiting", reason, **fields)


def again(exit_code=1, restarts=3):
    ended = Ended(exit_code, "Error", 200.0)
    return waiting("CrashLoopBackOff", restarts=restarts, ended=ended)


def fate_of(pod=POD, lost_nodes=None, **fields):
    return judge(replace(pod, **fields), lost_nodes or {})


ALIVE = {
    "nothing is known of it yet": {"phase": "Pending", "node": ""},
    "no node has room": {"phase": "Pending", "node": "", "unscheduled": "0/2 nodes"},
    "it is kept from being scheduled": {"phase": "Pending", "node": "", "gated": True},
    "it runs": {"trainer": UP},
    "it runs again": {"trainer": replace(UP, restarts=9, ended=Ended(137, "OOMKilled", 150.0))},
    "it was killed a moment ago": {"trainer": down(137, restarts=3)},
    "it waits for its second try": {"trainer": again(restarts=2)},
    "its image cannot be pulled": {"trainer": waiting("ImagePullBackOff", restarts=5)},
    "its container cannot be made": {"trainer": waiting("CreateContainerConfigError")},
}


@pytest.mark.parametrize("fields", ALIVE.values(), ids=ALIVE)
def test_a_pod_lives_as_long_as_it_may_come_to_run(fields):
    assert fate_of(**fields).fate is Fate.ALIVE


ENDS = {
    "its work is done": ({"phase": "Succeeded", "trainer": down(0, DONE)}, Fate.DONE),
    "its work is done beside a sidecar": ({"trainer": down(0, DONE)}, Fate.DONE),
    "it said nothing at its end": ({"phase": "Succeeded", "trainer": down(0)}, Fate.DONE),
    "its status got lost": ({"phase": "Succeeded"}, Fate.DONE),
    "it left": ({"phase": "Succeeded", "trainer": down(0, LEFT)}, Fate.LEFT),
    "it crashed for good": ({"phase": "Failed", "trainer": down(1)}, Fate.FAILED),
    "the node refused it": ({"phase": "Failed", "reason": "OutOfcpu"}, Fate.FAILED),
    "it crashes in a loop": ({"trainer": again()}, Fate.FAILED),
    "it crashed beside a sidecar": ({"trainer": down(1), "never_restarts": True}, Fate.FAILED),
    "it blames the job": ({"phase": "Failed", "trainer": down(64)}, Fate.USER_ERROR),
    "it blames the job again": ({"trainer": again(64, restarts=1)}, Fate.USER_ERROR),
}


@pytest.mark.parametrize(("fields", "fate"), ENDS.values(), ids=ENDS)
def test_the_end_of_a_pod_is_that_of_its_trainer(fields, fate):
    assert fate_of(**fields).fate is fate


DISRUPTIONS = {
    "deleted": ({"deleted": 150.0}, "Deleted"),
    "evicted by the kubelet": ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
    "evicted by the API": ({"disruption": "EvictionByEvictionAPI"}, "EvictionByEvictionAPI"),
    "preempted": ({"disruption": "PreemptionByScheduler", "deleted": 1.0}, "PreemptionByScheduler"),
    "collected with its node": (
        {"phase": "Failed", "disruption": "DeletionByPodGC", "deleted": 1.0},
        "DeletionByPodGC",
    ),
    "on a lost node": ({"node": "far"}, "NodeLost"),
}


@pytest.mark.parametrize("trainer", [UP, again(), down(1), down(143), down(0, LEFT)])
@pytest.mark.parametrize(("fields", "reason"), DISRUPTIONS.values(), ids=DISRUPTIONS)
def test_what_comes_from_outside_is_not_the_pods_failure(fields, reason, trainer):
    verdict = fate_of(lost_nodes={"far": 120.0}, trainer=trainer, **fields)
    assert (verdict.fate, verdict.reason) == (Fate.DISRUPTED, reason)


@pytest.mark.parametrize("fields", [fields for fields, _ in DISRUPTIONS.values()])
def test_who_was_done_before_that_is_done(fields):
    verdict = fate_of(lost_nodes={"far": 120.0}, trainer=down(0, DONE), **fields)
    assert verdict.fate is Fate.DONE


def test_an_evaluator_is_done_with_a_result_only():
    pod = replace(POD, member=evaluator(), phase="Succeeded")
    result = LastWords(finished=True, result=SCORE)
    assert fate_of(pod, trainer=down(0, result)).fate is Fate.DONE
    assert fate_of(pod, trainer=down(0, LEFT)).fate is Fate.LEFT
    for words in (None, DONE):
        verdict = fate_of(pod, trainer=down(0, words))
        assert (verdict.fate, verdict.reason) == (Fate.FAILED, "NoResult")


def test_a_verdict_has_kubernetes_reason_the_process_own_words_and_its_time():
    words = LastWords(reason="CUDA out of memory")
    verdict = fate_of(phase="Failed", trainer=down(137, words, reason="OOMKilled"))
    assert verdict.reason == "OOMKilled"
    assert verdict.message == "CUDA out of memory"
    assert (verdict.at, verdict.exit_code) == (200.0, 137)


def test_of_a_training_script_without_words_the_last_line_of_its_log_is_told():
    ended = Ended(1, "Error", 200.0, last_line="ModuleNotFoundError: No module named 'x'")
    verdict = fate_of(phase="Failed", trainer=ContainerView("terminated", ended=ended))
    assert verdict.message == "ModuleNotFoundError: No module named 'x'"


def test_without_words_the_exit_code_is_told():
    assert fate_of(phase="Failed", trainer=down(3)).message == "exit code 3"
