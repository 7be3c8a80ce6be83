from contextlib import closing
from dataclasses import replace

import pytest
import torch
from late_copies import SECONDS, LateCopies, await_copies
from torch import nn

from gossip_trainer.algorithms.iterate import Iterate, LookAhead
from gossip_trainer.errors import DeviceError, PlacementError
from gossip_trainer.replica.device import HostLink, SideLink
from gossip_trainer.replica.layout import layout_of
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.replica.placement import devices_of
from gossip_trainer.replica.snapshots import Snapshots
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.shared import SharedClient, SharedMemory
from gossip_trainer.transport.wire import SnapshotHeader

LAYOUT = layout_of(nn.Linear(30, 40))


@pytest.fixture
def copies():
    return LateCopies()


@pytest.fixture
def link(copies):
    with closing(SideLink(copies)) as link:
        yield link
        copies.gate.set()


@pytest.fixture
def snapshots(link):
    return Snapshots(LAYOUT, link=link)


def filled(value):
    return torch.full((LAYOUT.size,), float(value))


def publish(snapshots, step):
    return snapshots.publish(Iterate(filled(step)), SnapshotHeader(step=step, samples=step))


# A model in host memory


def test_in_host_memory_x_is_written_straight_to_where_it_is_read():
    written, out = [], filled(0)
    HostLink().write_out(Iterate(filled(3)), out, lambda: written.append(out.clone()))
    assert torch.equal(written[0], filled(3))


def test_in_host_memory_nothing_that_crosses_is_copied():
    link, vector, brought = HostLink(), filled(1), []
    link.bring_out([vector], brought.extend)
    assert brought[0] is vector
    assert link.bring_in(vector) is vector


# A model on a device of its own


def test_a_step_publishes_without_waiting_and_its_snapshot_is_there_when_its_copy_is(
    snapshots, copies, link
):
    copies.gate.clear()
    assert publish(snapshots, 1)
    assert snapshots.pin() is None
    copies.gate.set()
    await_copies(link)
    pin = snapshots.pin()
    assert pin.header == SnapshotHeader(step=1, samples=1)
    assert torch.equal(pin.vector, filled(1))


def test_readers_have_the_snapshot_before_until_then(snapshots, copies, link):
    publish(snapshots, 1)
    await_copies(link)
    copies.gate.clear()
    publish(snapshots, 2)
    pin = snapshots.pin()
    assert (pin.header.step, float(pin.vector[0])) == (1, 1.0)
    copies.gate.set()
    await_copies(link)
    assert snapshots.pin().header.step == 2


def test_x_may_move_on_while_its_copy_is_under_way(snapshots, copies, link):
    copies.gate.clear()
    live = filled(1)
    snapshots.publish(Iterate(live), SnapshotHeader(step=1, samples=1))
    live.fill_(9.0)
    copies.gate.set()
    await_copies(link)
    assert torch.equal(snapshots.pin().vector, filled(1))


def test_what_is_copied_is_x_and_not_the_live_look_ahead(snapshots, link):
    x = Iterate(filled(1), LookAhead(torch.ones(LAYOUT.num_parameters), 0.5))
    snapshots.publish(x, SnapshotHeader(step=1, samples=1))
    await_copies(link)
    assert torch.equal(snapshots.pin().vector, filled(1.5))


def test_a_step_that_ends_before_the_copy_of_an_earlier_one_is_not_published(
    snapshots, copies, link
):
    copies.gate.clear()
    assert publish(snapshots, 1)
    assert not publish(snapshots, 2)
    assert not publish(snapshots, 3)
    copies.gate.set()
    await_copies(link)
    assert publish(snapshots, 4)
    await_copies(link)
    assert snapshots.pin().header.step == 4


def test_a_copy_waits_for_what_the_computation_had_to_do_when_it_was_asked_for(
    snapshots, copies, link
):
    copies.gate.clear()
    publish(snapshots, 1)
    link.bring_out([filled(2)], lambda _vectors: None)
    copies.gate.set()
    await_copies(link)
    assert copies.log[:2] == ["mark 1", "mark 2"]
    assert [entry for entry in copies.log if "out" in entry] == ["out after 1", "out after 2"]


def test_what_is_sent_comes_to_the_host_beside_the_computation(copies, link):
    copies.gate.clear()
    sent, brought = [filled(1), filled(2)[:5]], []
    link.bring_out(sent, brought.extend)
    assert not brought
    copies.gate.set()
    await_copies(link)
    for vector, original in zip(brought, sent, strict=True):
        assert torch.equal(vector, original)
        assert vector.data_ptr() != original.data_ptr()


def test_a_copy_that_fails_is_an_error_of_the_next_step(snapshots, copies, link):
    copies.failure = RuntimeError("an illegal memory access was encountered")
    publish(snapshots, 1)
    link._thread.join(SECONDS)  # ended by the failure
    with pytest.raises(DeviceError, match="illegal memory access"):
        publish(snapshots, 2)
    with pytest.raises(DeviceError, match="illegal memory access"):
        link.bring_out([filled(1)], lambda _vectors: None)


class Courier:
    def send(self):
        return b""

    def receive(self, member, blob):
        raise AssertionError("nothing is told")


def test_other_processes_read_the_snapshot_before_until_the_copy_is_there(copies, link):
    identity = Identity("job-1", "worker-0-0", LAYOUT.digest(), LAYOUT.num_bytes)
    with closing(SharedMemory(identity, Courier(), num_buffers=3)) as memory:
        snapshots = Snapshots(LAYOUT, memory, link=link)
        client = SharedClient(replace(identity, member="worker-1-0"), Courier())
        into = filled(0)

        def pull():
            return client.pull(memory.path, memory_of(into), expect="worker-0-0").step

        publish(snapshots, 1)
        await_copies(link)
        copies.gate.clear()
        publish(snapshots, 2)
        assert (pull(), float(into[0])) == (1, 1.0)
        copies.gate.set()
        await_copies(link)
        assert (pull(), float(into[0])) == (2, 2.0)


# Which devices


def test_without_a_gpu_every_process_of_a_worker_is_on_the_cpu():
    assert [device.type for device in devices_of(3, 2, gpus=0)] == ["cpu", "cpu"]


def test_in_a_pod_a_worker_of_any_rank_takes_the_gpus_it_sees():
    for rank in range(5):
        assert [device.index for device in devices_of(rank, 4, gpus=4)] == [0, 1, 2, 3]
        assert [device.index for device in devices_of(rank, 1, gpus=1)] == [0]


def test_workers_of_one_machine_take_turns_at_its_gpus():
    taken = [[device.index for device in devices_of(rank, 2, gpus=5)] for rank in range(3)]
    assert taken == [[0, 1], [2, 3], [0, 1]]


def test_a_worker_with_too_few_gpus_says_what_to_ask_for():
    with pytest.raises(PlacementError, match=r"spec\.workers\.devicesPerWorker: 4.*sees 2 GPU"):
        devices_of(0, 4, gpus=2)


def test_a_copy_to_the_device_that_fails_is_heard_of_where_the_model_is_trained(link, copies):
    copies.failure = RuntimeError("out of memory")
    with pytest.raises(RuntimeError):
        link.bring_in(filled(1))
    with pytest.raises(DeviceError, match="failed: out of memory"):
        assert not link.busy
