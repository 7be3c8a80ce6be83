"""The job's conditions and their reasons, and the Events told of their changes."""

import pytest
from planned_world import BUDGET, SCORE, World, running

from gossip_api.reasons import Reason
from gossip_operator.core.conclusion import Conclusion
from gossip_operator.core.conditions import Standing, aspects, stamped
from gossip_operator.core.trouble import Trouble

OVER = Conclusion(True, Reason.RESULT_RECORDED, "done")
FAILED = Conclusion(False, Reason.SERVER_LOST, "server 0 failed")
NO_ROOM = Trouble(Reason.UNSCHEDULABLE, "worker-1: no room")

# Accepted, Suspended, WorkersReady, Progressing, Degraded, Complete, Failed
TABLE = {
    "nothing is there yet": ({}, "TFFFFFF", "WaitingForPods NotStarted NotStarted"),
    "no room": ({"trouble": NO_ROOM}, "TFFFFFF", "Unschedulable NotStarted NotStarted"),
    "all are ready": ({"ready": 4}, "TFTFFFF", "AllReady NotStarted NotStarted"),
    "it trains": ({"ready": 4, "began": True}, "TFTTFFF", "AllReady Training AllReady"),
    "one is lost": ({"ready": 3, "began": True}, "TFFTTFF", "WaitingForPods Training BelowDesired"),
    "too few": ({"ready": 1, "began": True}, "TFFTTFF", "WaitingForPods Training BelowMinimum"),
    "it stalls": (
        {"ready": 4, "began": True, "stalled": True},
        "TFTFFFF",
        "AllReady Stalled AllReady",
    ),
    "it ends": (
        {"ready": 2, "began": True, "ending": "budget"},
        "TFFTFFF",
        "Finishing Finishing Finishing",
    ),
    "nobody is left": (
        {"began": True, "ending": "budget", "deserted": True},
        "TFFFFFF",
        "Finishing Finishing Finishing",
    ),
    "it is refused": (
        {"problem": Trouble(Reason.INVALID_POD_TEMPLATE, "bad")},
        "FFFFFFF",
        "WaitingForPods InvalidPodTemplate NotStarted",
    ),
    "it is being suspended": (
        {"suspended": True, "ready": 4},
        "TFFFFFF",
        "Suspended Suspended Suspended",
    ),
    "it is suspended": (
        {"suspended": True, "resting": True},
        "TTFFFFF",
        "Suspended Suspended Suspended",
    ),
    "it is complete": (
        {"began": True, "ready": 4, "conclusion": OVER},
        "TFFFFTF",
        "Finished Finished Finished",
    ),
    "it has failed": (
        {"began": True, "conclusion": FAILED},
        "TFFFFFT",
        "Finished Finished Finished",
    ),
}


@pytest.mark.parametrize(("standing", "holds", "reasons"), TABLE.values(), ids=TABLE)
def test_every_condition_is_there_and_says_why(standing, holds, reasons):
    found = aspects(Standing(**({"desired": 4, "minimum": 2, "ready": 0} | standing)))
    assert "".join("FT"[aspect.holds] for aspect in found) == holds
    assert " ".join(aspect.reason for aspect in found[2:5]) == reasons


def test_a_transition_keeps_its_time_as_long_as_the_status_stays():
    waiting = aspects(Standing(desired=4, minimum=2, ready=0))
    fewer = aspects(Standing(desired=4, minimum=2, ready=3, trouble=NO_ROOM))
    ready = aspects(Standing(desired=4, minimum=2, ready=4))
    first = stamped(waiting, (), 1, 100.0)
    second = stamped(fewer, first, 2, 200.0)
    third = stamped(ready, second, 3, 300.7)
    assert [c[2].last_transition_time.timestamp() for c in (first, second, third)] == [
        100,
        100,
        300,
    ]
    assert {condition.observed_generation for condition in third} == {3}


def test_messages_are_not_longer_than_kubernetes_may_show():
    standing = Standing(4, 2, 0, trouble=Trouble(Reason.IMAGE_ERROR, 5000 * "x"))
    assert max(len(c.message) for c in stamped(aspects(standing), (), 1, 0.0)) == 2048


def told(world):
    """The events since the last call, told once each."""
    reasons = [str(notice.reason) for notice in world.notices]
    world.notices.clear()
    return reasons


def test_a_jobs_life_is_told_once_per_transition():
    world = World()
    world.settle()
    assert told(world) == []
    world.start_all()
    world.settle()
    world.train()
    world.pass_time(5)
    world.settle()
    assert told(world) == ["Started"]
    world.delete("mnist-worker-1-0")
    world.settle()
    assert told(world) == ["WorkerReplaced", "Degraded"]
    world.start_all()
    world.settle()
    assert told(world) == ["Recovered"]
    world.train(phase="Finished", stop=BUDGET)
    world.finish("mnist-worker-0-0")
    world.settle()
    assert told(world) == []
    world.finish("mnist-evaluator-0-0", SCORE)
    world.settle()
    assert told(world) == ["Completed"]


def test_a_replacement_says_who_takes_whose_place_and_why():
    world = running(strategy="ElasticAveraging")
    world.evict("mnist-server-0-0")
    world.settle()
    (notice,) = [one for one in world.notices if one.reason == "ServerReplaced"]
    assert notice.note == (
        "mnist-server-0-1 takes the place of mnist-server-0-0 "
        "(Evicted: The node was low on memory.)"
    )


def test_ranks_that_come_back_with_the_scale_replace_nobody():
    world = running(replicas=4)
    world.scale(2)
    world.settle()
    for name in ("mnist-worker-2-0", "mnist-worker-3-0"):
        del world.pods[name]
    world.settle()
    world.notices.clear()
    world.scale(4)
    world.settle()
    assert "WorkerReplaced" not in told(world)


def test_a_job_that_is_held_up_is_told_with_the_reason():
    world = World()
    world.settle()
    world.wait_for_image("mnist-worker-0-0")
    world.settle()
    (notice,) = world.notices
    assert (notice.type, notice.reason) == ("Warning", "HeldUp")
    assert "ImageError" in notice.note
    assert "no such image a:1" in notice.note


def test_suspending_and_resuming_are_told():
    world = running()
    world.set_suspend(True)
    world.settle()
    world.pods.clear()
    world.settle()
    assert told(world) == ["Suspended"]
    world.set_suspend(False)
    world.settle()
    assert told(world) == ["Resumed"]


def test_a_job_that_gets_on_after_it_stalled_does_not_start_again():
    world = running()
    world.pass_time(400)
    world.train(step=20)
    world.settle()
    assert told(world) == ["Stalled"]
    world.train(step=21)
    world.settle()
    assert told(world) == []
    assert world.condition("Progressing").reason == "Training"
