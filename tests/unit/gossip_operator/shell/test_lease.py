import asyncio

import pytest
from in_memory_kube import InMemoryKube

from gossip_operator.shell.errors import ApiError, LeaseLostError
from gossip_operator.shell.lease import Elector
from gossip_operator.shell.settings import LeaseSettings

SETTINGS = LeaseSettings(namespace="ops", retry_seconds=0.001)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def holder(kube):
    return kube.objects["Lease", "gossip-operator"]["spec"]["holderIdentity"]


def held_by(name, *, seconds=15):
    return {
        "metadata": {"name": "gossip-operator", "namespace": "ops", "resourceVersion": "1"},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": seconds, "renewTime": "t"},
    }


@pytest.fixture
def kube():
    return InMemoryKube()


@pytest.fixture
def clock():
    return Clock()


def elector(kube, clock, identity="me"):
    return Elector(kube, SETTINGS, identity, clock=clock)


def test_the_first_makes_the_lease_and_leads(kube, clock):
    one = elector(kube, clock)
    assert one.seconds_left() < 0
    assert asyncio.run(one._try())
    assert holder(kube) == "me"
    assert one.seconds_left() == SETTINGS.renew_seconds


def test_another_waits_while_the_holder_renews(kube, clock):
    one, other = elector(kube, clock, "one"), elector(kube, clock, "other")

    async def steps():
        for _ in range(5):
            assert await one._try()
            assert await other._try() is False
            clock.now += 9.0

    asyncio.run(steps())


def test_a_holder_that_is_not_heard_of_is_followed_after_the_duration(kube, clock):
    kube.add("Lease", held_by("dead"))
    one = elector(kube, clock)

    async def steps():
        assert await one._try() is False
        clock.now += 14.9
        assert await one._try() is False
        clock.now += 0.2
        assert await one._try()

    asyncio.run(steps())
    assert kube.objects["Lease", "gossip-operator"]["spec"]["leaseTransitions"] == 1


def test_the_holders_clock_does_not_matter(kube, clock):
    kube.add("Lease", held_by("other") | {})
    kube.objects["Lease", "gossip-operator"]["spec"]["renewTime"] = "1970-01-01T00:00:00Z"
    assert asyncio.run(elector(kube, clock)._try()) is False


def test_of_two_that_are_equally_fast_one_leads(kube, clock):
    kube.add("Lease", held_by(""))

    def overtake(verb, *_):
        if verb == "update":
            kube.refuse = lambda *_: None
            kube.objects["Lease", "gossip-operator"]["metadata"]["resourceVersion"] = "2"

    kube.refuse = overtake
    one = elector(kube, clock)
    assert asyncio.run(one._try()) is False
    assert one.seconds_left() < 0


def test_a_lease_that_is_given_back_is_free_at_once(kube, clock):
    one, other = elector(kube, clock, "one"), elector(kube, clock, "other")

    async def steps():
        running = asyncio.ensure_future(one.run())
        await one.wait()
        running.cancel()
        await one.release()
        assert one.seconds_left() < 0
        assert await other._try()

    asyncio.run(steps())
    assert holder(kube) == "other"


def test_who_never_led_gives_nothing_back(kube, clock):
    kube.add("Lease", held_by("other"))
    asyncio.run(elector(kube, clock).release())
    assert kube.writes == []


def test_a_leader_that_cannot_renew_stops_before_another_may_begin(kube, clock):
    one = elector(kube, clock)

    async def steps():
        running = asyncio.ensure_future(one.run())
        await one.wait()

        def fail(*_):
            clock.now += 4.0
            raise ApiError(0, "Unreachable", "no route")

        kube.refuse = fail
        with pytest.raises(LeaseLostError, match="could not be renewed"):
            await running
        assert clock.now < 1000.0 + SETTINGS.duration_seconds
        assert not one.is_leader

    asyncio.run(steps())


@pytest.mark.parametrize("retry_seconds", [0.001, 60.0])
def test_a_leader_stops_in_time_though_its_renewal_is_not_answered(kube, retry_seconds):
    settings = LeaseSettings(namespace="ops", renew_seconds=0.2, retry_seconds=retry_seconds)
    one = Elector(kube, settings, "me")

    async def never(*_):
        await asyncio.Event().wait()

    async def steps():
        running = asyncio.ensure_future(one.run())
        await one.wait()
        kube.get = never
        with pytest.raises(LeaseLostError, match="could not be renewed"):
            await asyncio.wait_for(running, timeout=5)
        assert not one.is_leader

    asyncio.run(steps())


def test_a_leader_whose_lease_another_took_stops(kube, clock):
    one = elector(kube, clock)

    async def steps():
        running = asyncio.ensure_future(one.run())
        await one.wait()
        kube.objects["Lease", "gossip-operator"]["spec"]["holderIdentity"] = "other"
        with pytest.raises(LeaseLostError, match="another replica"):
            await running

    asyncio.run(steps())


def test_an_api_server_that_does_not_answer_does_not_end_a_candidate(kube, clock):
    def fail(*_):
        raise ApiError(0, "Unreachable", "no route")

    kube.refuse = fail
    assert asyncio.run(elector(kube, clock)._try()) is None
