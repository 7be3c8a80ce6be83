import asyncio

import pytest
from in_memory_kube import InMemoryKube
from objects import raw_job

from gossip_operator.core.actions import Notice
from gossip_operator.shell.errors import ApiError, NamespaceTerminatingError
from gossip_operator.shell.projections import job_view
from gossip_operator.shell.recorder import JOB_BURST, SERIES_SECONDS, Recorder

JOB = job_view(raw_job())
NOTICE = Notice("Normal", "WorkerReplaced", "worker 3 was replaced")


@pytest.fixture
def kube():
    return InMemoryKube()


def tell(kube, *notices, at=(), dropped=lambda: None):
    """Tell one after the other, at these times."""
    now = [0.0]

    async def steps():
        recorder = Recorder(kube, instance="me", dropped=dropped, clock=lambda: now[0])
        running = asyncio.ensure_future(recorder.run())
        for number, notice in enumerate(notices):
            now[0] = at[number] if at else 0.0
            recorder.tell(JOB, notice)
            if at:
                await recorder.drain()
        await recorder.drain()
        running.cancel()

    asyncio.run(steps())
    return [raw for (kind, _), raw in kube.objects.items() if kind == "Event"]


def test_a_notice_becomes_an_event_of_the_job(kube):
    (event,) = tell(kube, NOTICE)
    assert event["regarding"]["uid"] == "job-1"
    assert (event["type"], event["reason"]) == ("Normal", "WorkerReplaced")
    assert event["note"] == "worker 3 was replaced"
    assert event["eventTime"] == "1970-01-01T00:00:00.000000Z"
    assert "series" not in event


def test_equal_notices_are_counted(kube):
    (event,) = tell(kube, NOTICE, NOTICE, NOTICE)
    assert event["series"]["count"] == 3


def test_other_notices_are_events_of_their_own(kube):
    other = Notice("Normal", "WorkerReplaced", "worker 4 was replaced")
    assert len(tell(kube, NOTICE, other)) == 2


def test_after_a_while_an_equal_notice_is_news_again(kube):
    assert len(tell(kube, NOTICE, NOTICE, at=(0.0, SERIES_SECONDS + 1))) == 2


def test_one_job_cannot_bring_about_too_many(kube):
    dropped = []
    notices = [Notice("Normal", "WorkerReplaced", f"worker {n}") for n in range(JOB_BURST + 9)]
    events = tell(kube, *notices, dropped=lambda: dropped.append(1))
    assert (len(events), len(dropped)) == (JOB_BURST, 9)


def test_an_event_that_is_refused_does_not_stop_those_after_it(kube):
    dropped = []

    def refuse_once(*_):
        kube.refuse = lambda *_: None
        raise ApiError(403, "Forbidden", "events may not be created")

    kube.refuse = refuse_once
    later = Notice("Normal", "Finished", "the job is over")
    events = tell(kube, NOTICE, later, dropped=lambda: dropped.append(1))
    assert [event["reason"] for event in events] == ["Finished"]
    assert dropped == [1]


def test_in_a_namespace_that_is_being_deleted_nobody_misses_an_event(kube, caplog):
    def refuse(*_):
        raise NamespaceTerminatingError(403, "Forbidden", "it is being terminated")

    dropped, kube.refuse = [], refuse
    assert tell(kube, NOTICE, dropped=lambda: dropped.append(1)) == []
    assert (dropped, caplog.messages) == ([], [])
