import pytest
from objects import CREATED, raw_job

from gossip_kubectl.errors import FAILED, NOT_FOUND, OK
from gossip_kubectl.verdict import Goal, judge
from gossip_kubectl.views import job_view


def job(uid="job-1", *, generation=1, **status):
    return job_view(raw_job(uid=uid, generation=generation) | {"status": status})


def holding(kind, reason="ResultRecorded", **status):
    condition = {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": "because",
        "lastTransitionTime": CREATED,
        "observedGeneration": 1,
    }
    return job(conditions=[condition], **status)


COMPLETE = holding("Complete", result={"accuracy": "0.965"})
FAILED_JOB = holding("Failed", "UserError")
SUSPENDED = holding("Suspended", "Suspended")
READY = holding("WorkersReady", "AllReady")


@pytest.mark.parametrize(
    ("goal", "now", "code"),
    [
        (Goal.COMPLETE, COMPLETE, OK),
        (Goal.COMPLETE, FAILED_JOB, FAILED),
        (Goal.COMPLETE, READY, None),
        (Goal.COMPLETE, job(), None),
        (Goal.BEGAN, job(began_time=None), None),
        (Goal.BEGAN, job(beganTime=CREATED), OK),
        (Goal.BEGAN, FAILED_JOB, FAILED),
        (Goal.BEGAN, COMPLETE, OK),
        (Goal.READY, READY, OK),
        (Goal.READY, COMPLETE, FAILED),
        (Goal.SUSPENDED, SUSPENDED, OK),
        (Goal.SUSPENDED, holding("Suspended", "Suspending"), None),
        (Goal.SUSPENDED, COMPLETE, FAILED),
        (Goal.FAILED, FAILED_JOB, OK),
        (Goal.FAILED, COMPLETE, FAILED),
        (Goal.DELETED, COMPLETE, None),
        (Goal.DELETED, FAILED_JOB, None),
    ],
)
def test_a_wait_ends_when_its_end_has_come_or_cannot_come_any_more(goal, now, code):
    verdict = judge(goal, now, "job-1")
    assert (verdict and verdict.code) == code


@pytest.mark.parametrize("goal", [goal for goal in Goal if goal is not Goal.DELETED])
def test_a_job_that_is_not_there_ends_the_wait_at_once(goal):
    verdict = judge(goal, None, None)
    assert verdict.code == NOT_FOUND
    assert "does not exist" in verdict.message


def test_a_job_that_vanishes_has_no_known_end():
    assert judge(Goal.COMPLETE, None, "job-1").code == NOT_FOUND
    assert "deleted" in judge(Goal.COMPLETE, None, "job-1").message


def test_another_job_of_the_same_name_is_not_the_one_waited_for():
    other = holding("Complete")
    assert judge(Goal.COMPLETE, other, "job-0").code == NOT_FOUND
    assert judge(Goal.DELETED, other, "job-0").code == OK


def test_whoever_waits_for_the_deletion_of_nothing_is_done():
    assert judge(Goal.DELETED, None, None).code == OK


def test_a_condition_of_an_older_generation_is_no_verdict():
    stale = job(
        generation=2,
        conditions=[
            {
                "type": "Suspended",
                "status": "True",
                "reason": "Suspended",
                "lastTransitionTime": CREATED,
                "observedGeneration": 1,
            }
        ],
    )
    assert judge(Goal.SUSPENDED, stale, "job-1") is None


def test_the_verdict_tells_the_result_or_the_reason():
    assert "accuracy 96.50%" in judge(Goal.COMPLETE, COMPLETE, "job-1").message
    assert "UserError" in judge(Goal.COMPLETE, FAILED_JOB, "job-1").message
    assert "because" in judge(Goal.COMPLETE, FAILED_JOB, "job-1").message
