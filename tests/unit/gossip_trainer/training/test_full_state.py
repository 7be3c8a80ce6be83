"""All that a worker goes on from, copied to another one."""

import pytest
import torch
from lone_worker import Clock
from torch import nn

from gossip_api.training import Budget
from gossip_api.training import Optimizer as Settings
from gossip_trainer.algorithms.all_reduce import AllReduce
from gossip_trainer.algorithms.local_sgd import LocalSGD
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.errors import CheckpointError, CollectiveError
from gossip_trainer.progress.budget import BudgetMeter
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.flat import FlatModel, iterate_of
from gossip_trainer.training.collective import Agreement
from gossip_trainer.training.counters import Counters
from gossip_trainer.training.ending import Ending, Limits
from gossip_trainer.training.full_state import FullState, decode_counts, encode_counts
from gossip_trainer.training.optimizers import build_optimizer

OPTIMIZERS = {
    "plain SGD": Settings(name="sgd", learning_rate=0.1, momentum=0.0),
    "momentum": Settings(name="sgd", learning_rate=0.1, momentum=0.9),
    "Nesterov": Settings(name="sgd", learning_rate=0.1, momentum=0.9, nesterov=True),
    "Adam": Settings(name="adam", learning_rate=0.01),
}


class Trained:
    """A worker's parts without a boundary; every one begins with another model."""

    def __init__(self, settings, make=AllReduce, seed=0):
        torch.manual_seed(seed)
        self.model = FlatModel(nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)))
        self.optimizer = build_optimizer(settings, [self.model.parameter])
        view = make_view(0, {0: 0})
        n = self.model.layout.num_parameters
        self.algorithm = (
            AllReduce(0, view)
            if make is AllReduce
            else LocalSGD(0, view, n, period=2, learning_rate=0.7, momentum=0.9, nesterov=True)
        )
        self.counters = Counters()
        meter = BudgetMeter(Budget(samples=10**6), epoch_samples=100, steps_samples=1)
        self.ending = Ending("w", Limits(meter), JobProgress(Clock()), meeting_size=2)
        self.state = FullState(
            self.model,
            self.optimizer,
            self.algorithm,
            counters=self.counters,
            ending=self.ending,
        )

    def step(self, times=1):
        for _ in range(times):
            x = iterate_of(self.model, self.optimizer)
            self.algorithm.before_step(x)
            generator = torch.Generator().manual_seed(self.counters.steps)
            self.model.gradient.copy_(torch.randn(self.model.gradient.shape, generator=generator))
            self.optimizer.step()
            self.counters.steps += 1
            x = iterate_of(self.model, self.optimizer)
            for effect in self.algorithm.on_step(x)[:1]:
                self.algorithm.on_averaged(effect, x)
        self.ending.agree(Agreement(samples=16 * times, stop=False))
        return self

    def copy(self, other):
        counts = decode_counts(encode_counts(other.state.counts()))
        self.state.restore(other.state.pack(), counts)
        return self


@pytest.mark.parametrize("make", [AllReduce, LocalSGD])
@pytest.mark.parametrize("settings", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("steps", [0, 3])
def test_who_copied_it_trains_on_like_the_other_to_the_bit(settings, make, steps):
    donor = Trained(settings, make).step(steps)
    late = Trained(settings, make, seed=1)
    assert late.state.digest() != donor.state.digest()
    late.copy(donor)
    assert late.state.digest() == donor.state.digest()
    assert late.ending.agreed_samples == donor.ending.agreed_samples
    for worker in (donor, late):
        worker.step(3)
    assert torch.equal(late.model.vector, donor.model.vector)
    assert late.counters.steps == donor.counters.steps == steps + 3
    assert late.state.digest() == donor.state.digest()


def test_it_is_a_copy_that_does_not_change_with_the_worker():
    donor = Trained(OPTIMIZERS["momentum"]).step()
    packed = donor.state.pack()
    before = packed.clone()
    late = Trained(OPTIMIZERS["momentum"], seed=1).copy(donor)
    donor.step()
    late.step()
    assert torch.equal(packed, before)
    assert packed.numel() == donor.state.size


def test_the_digest_tells_another_optimizer_state_and_another_count_but_no_other_buffers():
    one, other = (Trained(OPTIMIZERS["momentum"]).step() for _ in range(2))
    assert one.state.digest() == other.state.digest()
    n = other.model.layout.num_parameters
    other.model.vector[n:] += 1.0  # batch norm's statistics are each worker's own
    assert one.state.digest() == other.state.digest()
    other.optimizer.state[other.model.parameter]["momentum_buffer"][0] += 1.0
    assert one.state.digest() != other.state.digest()
    third = Trained(OPTIMIZERS["momentum"]).step()
    third.ending.samples_since_meeting += 1
    assert one.state.digest() != third.state.digest()


def test_between_outer_steps_the_workers_own_points_may_differ():
    one, other = (Trained(OPTIMIZERS["momentum"], LocalSGD).step(2) for _ in range(2))
    other.model.vector += 1.0
    assert one.state.digest() == other.state.digest()


@pytest.mark.parametrize("data", [b"", b"\x00", encode_counts("nothing")])
def test_numbers_that_make_no_sense_are_refused(data):
    with pytest.raises(CollectiveError, match="numbers that make no sense"):
        decode_counts(data)


def test_another_optimizer_than_the_saved_one_is_refused_although_its_vectors_fit():
    saved = Trained(OPTIMIZERS["momentum"]).step().state.save()
    with pytest.raises(CheckpointError, match="the optimizer is not the one that was saved"):
        Trained(OPTIMIZERS["Adam"]).state.load(saved)


def test_another_strategy_than_the_saved_one_is_refused():
    saved = Trained(OPTIMIZERS["momentum"]).step().state.save()
    with pytest.raises(CheckpointError, match="the strategy is not the one that was saved"):
        Trained(OPTIMIZERS["momentum"], LocalSGD).state.load(saved)
