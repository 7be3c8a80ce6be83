import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web
from objects import raw_job, raw_pod

from gossip_api.names import Member, Role, pod_name
from gossip_api.process import ProcessStatus
from gossip_operator.shell import progress
from gossip_operator.shell.mirror import Mirror
from gossip_operator.shell.progress import ANSWER_LIMIT, SAMPLE, Progress
from gossip_operator.shell.projections import Key, owned_pod

KEY = Key("default", "digits")
WORKER_0 = Member(Role.WORKER, 0, 0)
RUNNING = {
    "phase": "Running",
    "podIP": "127.0.0.1",
    "containerStatuses": [{"name": "trainer", "restartCount": 0, "state": {"running": {}}}],
}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def running(role, index):
    name = pod_name("digits", role, index, 0)
    return raw_pod(uid=name, name=name, status=RUNNING)


def view(role=Role.WORKER, index=0):
    return owned_pod(running(role, index)).view


def answer_of(member=WORKER_0):
    return ProcessStatus(
        role=member.role,
        rank=member.index,
        incarnation=member.incarnation,
        phase="Training",
        step=7,
    ).model_dump_json(by_alias=True)


@pytest.fixture
def clock():
    return Clock()


def progress_of(clock, *pods, answered=lambda _: None, note=lambda _: None, job=None):
    mirror = Mirror(lambda _: None)
    mirror.take_job(job or raw_job())
    for pod in pods:
        mirror.take_pod(pod)
    return Progress(mirror, answered=answered, note=note, clock=clock)


def names_due(asking):
    return [[pod.member.name for pod in pods] for _, _, pods in asking._due()]


def test_the_evaluator_the_servers_and_then_workers_are_asked(clock):
    pods = [running(Role.WORKER, n) for n in range(20)]
    pods += [running(Role.SERVER, 0), running(Role.EVALUATOR, 0)]
    (first,) = names_due(progress_of(clock, *pods))
    assert first == ["evaluator-0-0", "server-0-0", *(f"worker-{n}-0" for n in range(6))]
    assert len(first) == SAMPLE


def test_workers_are_asked_in_turn_until_all_were(clock):
    asking = progress_of(clock, *(running(Role.WORKER, n) for n in range(20)))
    asked = set()
    for _ in range(3):
        (names,) = names_due(asking)
        asked.update(names)
        clock.now += 10
    assert len(asked) == 20


def test_many_servers_leave_room_for_workers(clock):
    pods = [running(Role.SERVER, n) for n in range(64)] + [running(Role.WORKER, 0)]
    (names,) = names_due(progress_of(clock, *pods))
    assert "worker-0-0" in names


def test_a_job_is_asked_often_at_first_and_then_less(clock):
    asking = progress_of(clock, running(Role.WORKER, 0))
    times = []
    for _ in range(120):
        if names_due(asking):
            times.append(clock.now - 1000.0)
        clock.now += 0.5
    assert times[:4] == [0.0, 2.0, 4.0, 6.0]
    assert times[-2:] == [48.0, 58.0] or times[-1] - times[-2] == 10.0


def test_nobody_is_asked_who_cannot_answer(clock):
    waiting = raw_pod(0, status={"phase": "Pending"})
    assert names_due(progress_of(clock, waiting)) == []


def test_a_job_that_is_over_is_not_asked(clock):
    job = raw_job() | {"status": {"finished": True}}
    assert names_due(progress_of(clock, running(Role.WORKER, 0), job=job)) == []


async def elsewhere(_):
    return web.Response(text=answer_of())


@asynccontextmanager
async def process(handle):
    """A process of a job that answers `/status`."""
    application = web.Application()
    application.router.add_get("/status", handle)
    application.router.add_get("/elsewhere", elsewhere)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.5)) as session:
        yield session, runner.addresses[0][1]
    await runner.cleanup()


def ask(clock, respond, pod=None):
    """Ask a process once; return its report and the noted result."""
    notes = []

    async def handle(_):
        return await respond()

    async def steps():
        asking = progress_of(clock, note=notes.append)
        async with process(handle) as (session, port):
            return await asking._ask(session, pod or view(), port)

    report = asyncio.run(steps())
    (note,) = notes
    return report, note


def test_a_status_is_reported_with_its_time(clock):
    async def respond():
        return web.Response(text=answer_of())

    report, note = ask(clock, respond)
    assert (report.status.step, report.at, note) == (7, 1000.0, "ok")


def test_the_status_of_another_process_at_the_address_is_not_believed(clock):
    async def respond():
        return web.Response(text=answer_of(Member(Role.WORKER, 0, 1)))

    assert ask(clock, respond) == (None, "invalid")


@pytest.mark.parametrize("text", ["", "{}", "<html>", "x" * (ANSWER_LIMIT + 5)])
def test_what_is_no_status_is_not_believed(clock, text):
    async def respond():
        return web.Response(text=text)

    assert ask(clock, respond) == (None, "invalid")


def test_a_process_may_not_send_the_operator_elsewhere(clock):
    async def respond():
        raise web.HTTPFound("/elsewhere")

    assert ask(clock, respond) == (None, "invalid")


def test_a_process_that_does_not_answer_in_time_is_left_out(clock):
    async def respond():
        await asyncio.sleep(2.0)

    assert ask(clock, respond) == (None, "unreachable")


def test_a_process_that_is_not_there_is_left_out(clock):
    async def respond():
        raise AssertionError

    assert ask(clock, respond, replace(view(), ip="127.0.0.2")) == (None, "unreachable")


def test_a_job_that_answered_is_looked_at_and_its_reports_grow_old(clock, monkeypatch):
    monkeypatch.setattr(progress, "TICK_SECONDS", 0.01)
    answered = asyncio.Queue()

    async def handle(_):
        return web.Response(text=answer_of())

    async def steps():
        async with process(handle) as (_, port):
            job = raw_job()
            job["spec"]["monitoring"] = {"metricsPort": port}
            asking = progress_of(
                clock, running(Role.WORKER, 0), answered=answered.put_nowait, job=job
            )
            running_task = asyncio.ensure_future(asking.run())
            async with asyncio.timeout(30):
                key = await answered.get()
            running_task.cancel()
            return key, asking

    key, asking = asyncio.run(steps())
    assert key == KEY
    assert set(asking.reports("job-1")) == {"digits-worker-0-0"}
    clock.now += 61
    assert asking.reports("job-1") == {}
    asking.forget("job-1")
    assert asking._asked == {}
