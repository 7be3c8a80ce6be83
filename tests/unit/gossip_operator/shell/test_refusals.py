import pytest
from objects import raw_job

from gossip_api.reasons import Reason
from gossip_operator.shell.errors import ApiError
from gossip_operator.shell.projections import job_view
from gossip_operator.shell.refusals import REMEMBER_SECONDS, Refusals, reason_of

JOB = job_view(raw_job())


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (ApiError(403, "Forbidden", "exceeded quota: few"), "Pod", Reason.QUOTA_EXCEEDED),
        (ApiError(403, "Forbidden", 'violates PodSecurity "restricted"'), "Pod", Reason.FORBIDDEN),
        (ApiError(422, "Invalid", "image: Required"), "Pod", Reason.INVALID_POD_TEMPLATE),
        (ApiError(400, "BadRequest", "quantities must"), "Pod", Reason.INVALID_POD_TEMPLATE),
        (ApiError(422, "Invalid", "clusterIP: immutable"), "Service", Reason.CREATE_FAILED),
        (ApiError(404, "NotFound", "namespace"), "Pod", Reason.CREATE_FAILED),
    ],
)
def test_a_refusal_has_a_reason_of_the_closed_list(error, kind, reason):
    assert reason_of(error, kind) is reason


def test_a_refusal_holds_the_job_up_until_its_time():
    refusals = Refusals()
    refusal = refusals.note(JOB, "Pods", Reason.QUOTA_EXCEEDED, "no", 100.0)
    assert 124.0 <= refusal.until <= 136.0
    assert refusals.current(JOB, 100.0) == (refusal,)
    assert refusals.holds_up(JOB, refusal.until - 1)
    assert not refusals.holds_up(JOB, refusal.until + 1)


def test_a_changed_job_is_tried_at_once():
    refusals = Refusals()
    refusals.note(JOB, "Pods", Reason.INVALID_POD_TEMPLATE, "no", 100.0)
    changed = job_view(raw_job(generation=2))
    assert refusals.current(changed, 101.0) == ()


def test_pauses_grow_while_the_same_is_refused_again():
    refusals = Refusals()
    waits = [
        refusals.note(JOB, "Service x", Reason.CREATE_FAILED, "no", 0.0).until for _ in range(6)
    ]
    assert waits[0] <= 2.0
    assert waits[5] >= 30.0


def test_what_was_granted_or_is_long_past_is_forgotten():
    refusals = Refusals()
    refusals.note(JOB, "Service x", Reason.CREATE_FAILED, "no", 0.0)
    past = refusals.note(JOB, "Pods", Reason.FORBIDDEN, "no", 0.0)
    refusals.granted(JOB, "Service x")
    assert refusals.current(JOB, past.until + 1) == (past,)
    assert refusals.current(JOB, past.until + REMEMBER_SECONDS) == ()


def test_refusals_of_one_job_are_not_anothers():
    refusals = Refusals()
    refusals.note(JOB, "Pods", Reason.FORBIDDEN, "no", 0.0)
    assert refusals.current(job_view(raw_job(uid="job-2")), 0.0) == ()
    refusals.forget("job-1")
    assert refusals.current(JOB, 0.0) == ()
