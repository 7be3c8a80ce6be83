import asyncio

import pytest

from gossip_operator.shell.crew import Crew
from gossip_operator.shell.errors import TaskEndedError


async def for_ever():
    await asyncio.Event().wait()


async def fail():
    raise RuntimeError("a mistake")


async def nothing():
    pass


def run(steps):
    async def with_crew():
        async with asyncio.timeout(30):
            await steps(Crew())

    asyncio.run(with_crew())


def test_of_several_waits_the_first_is_told():
    async def steps(crew):
        crew.spawn("task", for_ever())
        assert await crew.first(for_ever(), nothing()) == 1
        await crew.dismiss()

    run(steps)


def test_a_task_that_fails_ends_the_wait_with_its_error():
    async def steps(crew):
        crew.spawn("other", for_ever())
        crew.spawn("task", fail())
        with pytest.raises(RuntimeError, match="a mistake"):
            await crew.first(for_ever())
        await crew.dismiss()

    run(steps)


def test_a_task_that_ends_without_an_error_is_one():
    async def steps(crew):
        crew.spawn("task", nothing())
        with pytest.raises(TaskEndedError, match="task"):
            await crew.first(for_ever())

    run(steps)


def test_a_wait_that_fails_is_an_error():
    async def steps(crew):
        with pytest.raises(RuntimeError, match="a mistake"):
            await crew.first(fail(), for_ever())

    run(steps)


def test_all_tasks_and_waits_are_known_as_ours():
    async def steps(crew):
        seen = []

        async def look():
            seen.append(asyncio.current_task() in crew.everyone)

        crew.spawn("task", for_ever())
        await crew.first(look())
        assert seen == [True]
        assert asyncio.all_tasks() <= set(crew.everyone)
        await crew.dismiss()

    run(steps)


def test_a_task_that_does_not_finish_in_time_is_cut_off():
    async def steps(crew):
        slow = crew.spawn("slow", for_ever())
        quick = crew.spawn("quick", asyncio.sleep(0.01))
        await crew.finish(["slow", "quick"], 0.05)
        assert slow.cancelled()
        assert quick.done()
        assert not quick.cancelled()

    run(steps)


def test_dismissed_tasks_have_ended():
    async def steps(crew):
        task = crew.spawn("task", for_ever())
        await asyncio.sleep(0)
        await crew.dismiss()
        assert task.cancelled()

    run(steps)
