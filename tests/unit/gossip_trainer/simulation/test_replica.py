import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.data.dataset import Batch
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.simulation.replica import SharedModule, Snapshots


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

        loss = shared.compute_gradient(replica, batch)

        expected = cross_entropy(own.module(batch.inputs), batch.targets)
        expected.backward()
        assert loss == expected.item()
        assert torch.equal(replica.model.gradient, own.gradient)
        assert torch.equal(replica.model.vector, own.vector)  # batch-norm statistics moved alike


def test_computing_for_one_worker_leaves_the_others_as_they_are(shared, batch):
    one, other = shared.replica(), shared.replica()
    before = other.model.vector.clone()
    shared.compute_gradient(one, batch)
    assert not torch.equal(one.model.vector, before)
    assert torch.equal(other.model.vector, before)


def test_all_workers_share_one_gradient(shared):
    gradients = {shared.replica().model.parameter.grad.data_ptr() for _ in range(3)}
    assert len(gradients) == 1


def test_a_snapshot_that_nobody_reads_gives_its_buffer_to_the_next(shared):
    snapshots, x = Snapshots(shared), torch.zeros_like(shared.initial)
    newest = None
    for step in range(5):
        newest = snapshots.publish(Iterate(x.fill_(step)), step, old=newest)
    assert snapshots.allocated == 1
    assert (newest.step, newest.vector[0]) == (4, 4.0)


def test_a_snapshot_stays_as_it_is_while_somebody_reads_it(shared):
    snapshots, x = Snapshots(shared), torch.zeros_like(shared.initial)
    read = snapshots.publish(Iterate(x.fill_(1.0)), 1, old=None)
    read.readers += 1
    newest = snapshots.publish(Iterate(x.fill_(2.0)), 2, old=read)
    assert (read.vector[0], newest.vector[0]) == (1.0, 2.0)
    snapshots.release(read)
    snapshots.publish(Iterate(x.fill_(3.0)), 3, old=newest)
    assert snapshots.allocated == 2
