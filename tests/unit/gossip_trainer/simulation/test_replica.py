import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gossip_api.training import Budget, Data, Model, Optimizer, Training
from gossip_trainer.algorithms.iterate import Iterate, LookAhead
from gossip_trainer.data.dataset import Batch
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.simulation.laps import Lap
from gossip_trainer.simulation.replica import SharedModule, Snapshots, VirtualPublisher
from gossip_trainer.training.gradient import GradientComputation
from gossip_trainer.transport.wire import SnapshotHeader

TRAINING = Training(
    model=Model(name="mlp"),
    data=Data(name="digits"),
    optimizer=Optimizer(name="sgd", learning_rate=0.1),
    budget=Budget(epochs=1),
)


def make_module():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))


@pytest.fixture
def shared():
    return SharedModule(make_module())


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(2)
    return Batch(torch.randn(8, 6, generator=generator), torch.arange(8) % 3)


def gradient_of(replica):
    return GradientComputation(replica.model, cross_entropy, TRAINING)


def test_every_worker_begins_with_the_modules_own_parameters(shared):
    own = FlatModel(make_module()).vector
    assert torch.equal(shared.replica().model.vector, own)
    shared.replica().model.vector.zero_()
    assert torch.equal(shared.replica().model.vector, own)


def test_a_workers_gradient_is_that_of_a_module_of_its_own_to_the_bit(shared, batch):
    replicas = [shared.replica() for _ in range(3)]
    for value, replica in enumerate(replicas):
        replica.model.vector.add_(0.1 * value)
    for value in (2, 0, 1, 2):
        own = FlatModel(make_module())
        own.vector.add_(0.1 * value)
        replica = replicas[value]
        replica.model.vector.copy_(own.vector)

        shared.show(replica)
        loss = gradient_of(replica)(batch).item()

        expected = cross_entropy(own.module(batch.inputs), batch.targets)
        expected.backward()
        assert loss == expected.item()
        assert torch.equal(replica.model.gradient, own.gradient)
        assert torch.equal(replica.model.vector, own.vector)  # batch-norm statistics moved alike


def test_computing_for_one_worker_leaves_the_others_as_they_are(shared, batch):
    one, other = shared.replica(), shared.replica()
    before = other.model.vector.clone()
    shared.show(one)
    gradient_of(one)(batch)
    assert not torch.equal(one.model.vector, before)
    assert torch.equal(other.model.vector, before)


def test_all_workers_share_one_gradient(shared):
    gradients = {shared.replica().model.parameter.grad.data_ptr() for _ in range(3)}
    assert len(gradients) == 1


@pytest.fixture
def snapshots(shared):
    return Snapshots(shared)


def take(snapshots, value, **header):
    x = Iterate(torch.full_like(snapshots._like, value))
    return snapshots.take(x, SnapshotHeader(step=int(value), samples=0, **header))


def test_a_snapshot_knows_what_was_said_about_it(snapshots):
    snapshot = take(snapshots, 3.0, finished=True, weight=0.25)
    assert (snapshot.step, snapshot.finished, snapshot.weight) == (3, True, 0.25)
    assert torch.all(snapshot.vector == 3.0)


def test_what_is_kept_is_x_and_not_the_live_look_ahead(snapshots, shared):
    n = shared.layout.num_parameters
    x = Iterate(torch.ones_like(shared.initial), LookAhead(torch.ones(n), 0.5))
    snapshot = snapshots.take(x, SnapshotHeader(step=1, samples=0))
    assert torch.all(snapshot.vector[:n] == 1.5)
    assert torch.all(snapshot.vector[n:] == 1.0)


def test_a_snapshot_that_nobody_reads_gives_its_buffer_to_the_next(snapshots):
    publisher = VirtualPublisher(snapshots, Lap())
    for step in range(5):
        x = Iterate(torch.full_like(snapshots._like, float(step)))
        assert publisher.publish(x, SnapshotHeader(step=step, samples=0))
    assert snapshots.allocated == 1
    assert (publisher.newest.step, publisher.newest.vector[0]) == (4, 4.0)


def test_a_snapshot_stays_as_it_is_while_somebody_reads_it(snapshots):
    read = take(snapshots, 1.0)
    read.readers += 1
    snapshots.release(read)  # its publisher goes on
    newest = take(snapshots, 2.0)
    assert (read.vector[0], newest.vector[0]) == (1.0, 2.0)
    snapshots.release(read)
    take(snapshots, 3.0)
    assert snapshots.allocated == 2
    assert newest.vector[0] == 2.0


def test_one_that_withdraws_publishes_nothing_and_its_readers_go_on(snapshots):
    publisher = VirtualPublisher(snapshots, Lap())
    publisher.publish(Iterate(snapshots._like + 0.0), SnapshotHeader(step=1, samples=0))
    read = publisher.newest
    read.readers += 1
    publisher.withdraw()
    publisher.withdraw()
    assert publisher.newest is None
    assert read.readers == 1
