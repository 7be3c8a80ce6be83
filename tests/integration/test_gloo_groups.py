"""Groups of gloo over loopback, their members threads of this process."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch

from gossip_trainer.errors import CollectiveError
from gossip_trainer.training.gloo_group import GlooGroup, host_store, open_store

HOST = "127.0.0.1"
SHORT, LONG = timedelta(seconds=1), timedelta(seconds=20)


def nothing_is_lost(_waited):
    return ""


@pytest.fixture
def store():
    return host_store(HOST, 0, LONG)


@pytest.fixture
def meet(store):
    """Return a function that forms a group of threads and lets each do something in it."""

    def meet(size, do, key="group", timeout=LONG):
        def take_part(position):
            own = open_store((HOST, store.port), LONG)
            return do(
                position,
                GlooGroup(own, key, host=HOST, position=position, size=size, timeout=timeout),
            )

        with ThreadPoolExecutor(size) as pool:
            return list(pool.map(take_part, range(size)))

    return meet


def test_every_member_has_the_sum_of_all_vectors(meet):
    def add(position, group):
        vectors = torch.full((1000,), float(position)), torch.tensor([1, position])
        group.begin(*vectors)
        group.finish(nothing_is_lost)
        group.drop()
        return vectors

    for vector, counts in meet(3, add):
        assert torch.equal(vector, torch.full((1000,), 3.0))
        assert counts.tolist() == [3, 3]


def test_a_member_that_goes_is_an_error_for_the_others_at_once(meet):
    began = time.monotonic()

    def add(position, group):
        if position == 2:
            group.drop()
            return "gone"
        group.begin(torch.ones(1000))
        with pytest.raises(CollectiveError, match="all-reduce failed"):
            group.finish(nothing_is_lost)
        group.drop()
        return "lost"

    assert meet(3, add) == ["lost", "lost", "gone"]
    assert time.monotonic() - began < 10.0


def test_a_member_that_hangs_is_an_error_when_the_deadline_has_passed(meet):
    done = threading.Event()

    def add(position, group):
        if position == 1:
            assert done.wait(20)
            group.drop()
            return
        group.begin(torch.ones(1000))
        with pytest.raises(CollectiveError):
            group.finish(nothing_is_lost)
        group.drop()
        done.set()

    meet(2, add, timeout=SHORT)


def test_who_hears_elsewhere_that_a_member_is_lost_waits_no_longer_and_goes_on_at_once(meet):
    done = threading.Event()

    def add(position, group):
        if position == 1:
            assert done.wait(20)
            group.drop()
            return 0.0
        group.begin(torch.ones(1000))
        began = time.monotonic()
        with pytest.raises(CollectiveError, match="worker-1-0 left while 2 workers averaged"):
            group.finish(lambda waited: "worker-1-0 left" if waited > 0.3 else "")
        group.drop()  # although its operation hangs
        done.set()
        return time.monotonic() - began

    assert meet(2, add)[0] < 5.0


def test_a_group_that_does_not_come_together_is_an_error():
    store = host_store(HOST, 0, SHORT)
    with pytest.raises(CollectiveError, match="not all 2 members came"):
        GlooGroup(store, "group", host=HOST, position=0, size=2, timeout=SHORT)


def test_a_store_that_is_not_there_is_an_error():
    port = host_store(HOST, 0, SHORT).port  # which nobody holds any more
    with pytest.raises(CollectiveError, match="no way to the store"):
        open_store((HOST, port), SHORT)
