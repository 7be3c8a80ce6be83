import threading
from contextlib import closing
from dataclasses import replace

import pytest
import torch
from torch import nn

from gossip_trainer.algorithms.iterate import Iterate, LookAhead
from gossip_trainer.replica.layout import layout_of
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.replica.snapshots import Snapshots
from gossip_trainer.transport.chunks import digest
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.shared import SharedClient, SharedMemory
from gossip_trainer.transport.wire import SnapshotHeader


@pytest.fixture
def layout():
    return layout_of(nn.Linear(30, 40))


@pytest.fixture
def snapshots(layout):
    return Snapshots(layout)


def publish(snapshots, layout, step):
    x = Iterate(torch.full((layout.size,), float(step)))
    return snapshots.publish(x, SnapshotHeader(step=step, samples=10 * step))


def test_before_the_first_publish_there_is_nothing_to_pin(snapshots):
    assert snapshots.pin() is None


def test_a_pin_gives_the_newest_snapshot_with_its_header(snapshots, layout):
    for step in range(5):
        assert publish(snapshots, layout, step)
    pin = snapshots.pin()
    assert pin.header == SnapshotHeader(step=4, samples=40)
    assert torch.equal(pin.vector, torch.full((layout.size,), 4.0))


def test_readers_get_the_bytes_of_the_vector_and_may_not_change_them(snapshots, layout):
    publish(snapshots, layout, 3)
    pin = snapshots.pin()
    assert pin.memory.readonly
    assert bytes(pin.memory) == pin.vector.numpy().tobytes()


def test_digests_are_those_of_the_newest_content_of_a_reused_buffer(snapshots, layout):
    for step in range(7):
        publish(snapshots, layout, step)
        pin = snapshots.pin()
        assert pin.digests.of(0, pin.memory) == digest(pin.memory)
        pin.release()


def test_what_is_published_is_x_and_not_the_live_look_ahead(snapshots, layout):
    live, momentum = torch.ones(layout.size), torch.ones(layout.num_parameters)
    x = Iterate(live, LookAhead(momentum, 0.5))
    snapshots.publish(x, SnapshotHeader(step=1, samples=1))
    assert torch.equal(snapshots.pin().vector, torch.full((layout.size,), 1.5))


def test_a_published_snapshot_does_not_follow_the_live_vector(snapshots, layout):
    live = torch.zeros(layout.size)
    snapshots.publish(Iterate(live), SnapshotHeader(step=1, samples=1))
    live.fill_(9.0)
    assert not snapshots.pin().vector.any()


def test_two_readers_that_hang_on_to_two_steps_hold_up_publishing_but_not_reading(
    snapshots, layout
):
    publish(snapshots, layout, 0)
    first = snapshots.pin()
    publish(snapshots, layout, 1)
    second = snapshots.pin()
    assert publish(snapshots, layout, 2)
    assert not publish(snapshots, layout, 3)
    assert snapshots.pin().header.step == 2
    first.release()
    assert publish(snapshots, layout, 4)
    assert (second.header.step, second.vector[0]) == (1, 1.0)


def test_any_number_of_readers_of_one_snapshot_hold_one_buffer(snapshots, layout):
    publish(snapshots, layout, 0)
    pins = [snapshots.pin() for _ in range(20)]
    assert all(publish(snapshots, layout, step) for step in range(1, 10))
    pins[0].release()
    assert {float(pin.vector[0]) for pin in pins} == {0.0}


def test_readers_in_other_threads_never_see_a_torn_snapshot(snapshots):
    layout = layout_of(nn.Linear(150, 150))
    snapshots = Snapshots(layout)
    publish(snapshots, layout, 0)
    done, reads, torn = threading.Event(), [0, 0, 0], []

    def read(reader):
        newest = 0
        while not done.is_set() and not torn:
            pin = snapshots.pin()
            low, high = torch.aminmax(pin.vector)
            if not (low == high == pin.header.step) or pin.header.step < newest:
                torn.append((pin.header.step, newest, float(low), float(high)))
            newest = pin.header.step
            pin.release()
            reads[reader] += 1

    threads = [threading.Thread(target=read, args=(reader,)) for reader in range(3)]
    for thread in threads:
        thread.start()
    published = sum(publish(snapshots, layout, step) for step in range(1, 4001))
    done.set()
    for thread in threads:
        thread.join(timeout=10)
    assert not torn
    assert min(reads) > 20
    assert published > 100


# Buffers that other processes read


class Courier:
    def send(self):
        return b""

    def receive(self, member, blob):
        raise AssertionError("nothing is told")


@pytest.fixture
def shared(layout):
    identity = Identity("job-1", "worker-0-0", layout.digest(), layout.num_bytes)
    with closing(SharedMemory(identity, Courier(), num_buffers=3)) as memory:
        client = SharedClient(replace(identity, member="worker-1-0"), Courier())
        into = torch.zeros(layout.size)

        def pull():
            return client.pull(memory.path, memory_of(into), expect="worker-0-0"), into

        yield Snapshots(layout, memory), pull


def test_what_is_published_is_at_once_in_shared_memory_and_can_be_pinned(shared, layout):
    snapshots, pull = shared
    for step in range(7):
        publish(snapshots, layout, step)
        header, vector = pull()
        assert header == SnapshotHeader(step=step, samples=10 * step)
        assert torch.equal(vector, torch.full((layout.size,), float(step)))
        pin = snapshots.pin()
        assert torch.equal(pin.vector, vector)
        assert pin.digests.of(0, pin.memory) == digest(pin.memory)
        pin.release()


def test_a_pinned_buffer_in_shared_memory_stays_as_it_is(shared, layout):
    snapshots, pull = shared
    publish(snapshots, layout, 1)
    pin = snapshots.pin()
    assert all(publish(snapshots, layout, step) for step in range(2, 9))
    assert not (pin.vector - 1.0).any()
    assert pull()[0].step == 8


def test_a_publish_that_fails_leaves_the_snapshot_before_it(shared, layout):
    snapshots, pull = shared
    publish(snapshots, layout, 1)
    with pytest.raises(RuntimeError):
        snapshots.publish(Iterate(torch.zeros(3)), SnapshotHeader(step=2, samples=0))
    assert pull()[0].step == 1
    assert all(publish(snapshots, layout, step) for step in range(3, 9))
    assert pull()[0].step == 8
