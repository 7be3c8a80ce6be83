import asyncio

import pytest

from gossip_operator.shell.queue import WorkQueue


async def next_key(queue):
    return await asyncio.wait_for(queue.take(), 5.0)


def run(steps):
    return asyncio.run(steps(WorkQueue(first_pause_seconds=0.01)))


def test_a_key_that_is_added_often_is_given_out_once():
    async def steps(queue):
        for key in "abab":
            queue.add(key)
        assert [await next_key(queue), await next_key(queue)] == ["a", "b"]
        assert len(queue) == 0

    run(steps)


def test_a_key_that_is_added_during_work_on_it_comes_again_after_it():
    async def steps(queue):
        queue.add("a")
        await next_key(queue)
        queue.add("a")
        queue.add("b")
        assert len(queue) == 1  # nobody else gets it meanwhile
        assert await next_key(queue) == "b"
        queue.done("a")
        assert await next_key(queue) == "a"

    run(steps)


def test_a_key_that_nothing_happened_to_during_work_on_it_does_not_come_again():
    async def steps(queue):
        queue.add("a")
        await next_key(queue)
        queue.done("a")
        assert len(queue) == 0

    run(steps)


def test_whoever_waits_gets_the_key_that_comes():
    async def steps(queue):
        waiting = asyncio.ensure_future(next_key(queue))
        await asyncio.sleep(0)
        queue.add("a")
        assert await waiting == "a"

    run(steps)


@pytest.mark.parametrize("order", [(30.0, 0.01), (0.01, 30.0)])
def test_of_several_times_the_earliest_counts(order):
    async def steps(queue):
        for seconds in order:
            queue.add_after("a", seconds)
        assert await next_key(queue) == "a"
        queue.done("a")
        assert len(queue) == 0

    run(steps)


def test_pauses_grow_with_every_failure_and_are_short_again_after_a_success():
    async def steps(queue):
        pauses = [queue.retry("a") for _ in range(8)]
        assert 0.005 <= pauses[0] <= 0.01
        assert pauses[7] >= 0.64
        assert max(queue.retry("a") for _ in range(40)) <= 60.0
        queue.succeeded("a")
        assert queue.retry("a") <= 0.01

    run(steps)


def test_a_pause_that_the_api_server_asks_for_is_kept():
    async def steps(queue):
        assert queue.retry("a", at_least=7.0) == 7.0

    run(steps)


def test_a_key_that_is_forgotten_does_not_come_of_itself():
    async def steps(queue):
        queue.add_after("a", 0.01)
        queue.forget("a")
        queue.add_after("b", 0.02)
        assert await next_key(queue) == "b"

    run(steps)


def test_a_closed_queue_gives_out_nothing_and_lets_go_whoever_waits():
    async def steps(queue):
        waiting = asyncio.ensure_future(next_key(queue))
        await asyncio.sleep(0)
        queue.close()
        queue.add("a")
        assert await waiting is None
        assert await next_key(queue) is None

    run(steps)
