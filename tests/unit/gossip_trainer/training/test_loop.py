import itertools

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gossip_api.training import Optimizer, Schedule, Training
from gossip_trainer.data.dataset import Batch, InMemoryDataset
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.loop import rate_of, train
from gossip_trainer.training.optimizers import build_optimizer


class Boundary:
    """Notes what the loop tells it, waits 2 s and 3 s in every step, and ends after some steps."""

    def __init__(self, model, steps, *, steps_locally=True):
        self.model, self.steps, self.steps_locally = model, steps, steps_locally
        self.gradients, self.vectors, self.losses, self.samples = [], [], [], []
        self.told = []

    @property
    def epoch(self):
        return float(len(self.losses))

    def begin_step(self):
        self.told.append("begin_step")
        with torch.no_grad():
            self.model.gradient.fill_(99.0)  # of the step before, as it were

    def gradient_ready(self, samples):
        self.told.append("gradient_ready")
        yield 2.0
        self.samples.append(samples)
        self.gradients.append(self.model.gradient.clone())
        self.vectors.append(self.model.vector.clone())

    def step_done(self, loss):
        self.told.append("step_done")
        yield 3.0
        self.losses.append(loss)
        return len(self.losses) < self.steps


@pytest.fixture
def dataset():
    generator = torch.Generator().manual_seed(1)
    examples = Batch(
        torch.randn(40, 6, generator=generator), torch.randint(3, (40,), generator=generator)
    )
    return InMemoryDataset(examples, examples, num_classes=3)


@pytest.fixture
def model():
    torch.manual_seed(2)
    return FlatModel(nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)))


@pytest.fixture
def run(model, dataset):
    def run(steps, rate=lambda epoch: 0.1, wait=lambda seconds: None, **kind):
        boundary = Boundary(model, steps, **kind)
        optimizer = build_optimizer(Optimizer(name="sgd", learning_rate=0.1), [model.parameter])
        batches = (torch.arange(8) + 8 * step % 40 for step in itertools.count())
        model.module.eval()
        train(model, optimizer, dataset, batches, boundary, rate=rate, wait=wait)
        return boundary

    return run


def test_it_trains_until_the_boundary_says_that_it_is_enough(run):
    assert len(run(5).losses) == 5


def test_it_waits_as_long_as_the_boundary_wants_to(run):
    waited = []
    boundary = run(2, wait=waited.append)
    assert boundary.told == ["begin_step", "gradient_ready", "step_done"] * 2
    assert waited == [2.0, 3.0] * 2


def test_where_a_server_steps_the_worker_does_not(run, model):
    boundary = run(3, steps_locally=False)
    n = model.layout.num_parameters
    assert all(torch.equal(vector[:n], boundary.vectors[0][:n]) for vector in boundary.vectors)
    assert boundary.gradients[0].any()


def test_the_rate_of_the_step_before_stands_until_the_boundary_has_had_the_gradient(model, dataset):
    # It tells where x lies against the look-ahead.
    seen, rates = [], iter([0.1, 0.2, 0.3])
    optimizer = build_optimizer(Optimizer(name="sgd", learning_rate=0.7), [model.parameter])

    class Spy(Boundary):
        def gradient_ready(self, samples):
            yield from super().gradient_ready(samples)
            seen.append(optimizer.param_groups[0]["lr"])

        def step_done(self, loss):
            seen.append(optimizer.param_groups[0]["lr"])
            return (yield from super().step_done(loss))

    batches = itertools.repeat(torch.arange(8))
    train(
        model,
        optimizer,
        dataset,
        batches,
        Spy(model, 3),
        rate=lambda epoch: next(rates),
        wait=lambda seconds: None,
    )
    assert seen == [0.7, 0.1, 0.1, 0.2, 0.2, 0.3]


def test_the_gradient_is_ready_before_the_step_and_is_of_this_batch_alone(run, model, dataset):
    boundary = run(3)
    assert boundary.samples == [8, 8, 8]
    for before, after, gradient in zip(
        boundary.vectors[:-1], boundary.vectors[1:], boundary.gradients[:-1], strict=True
    ):
        n = model.layout.num_parameters
        torch.testing.assert_close(after[:n], before[:n] - 0.1 * gradient)
    inputs, targets = dataset.train_batch(torch.arange(8) + 16)
    model.load_(boundary.vectors[2])
    model.gradient.zero_()
    loss = cross_entropy(model.module(inputs), targets)
    loss.backward()
    assert torch.equal(model.gradient, boundary.gradients[2])
    assert boundary.losses[2] == loss.item()


def test_the_learning_rate_follows_the_job_wide_epoch(run, model):
    epochs = []
    boundary = run(3, rate=lambda epoch: epochs.append(epoch) or (0.5 if epoch == 1.0 else 0.0))
    n = model.layout.num_parameters
    moved = [bool((v[:n] != boundary.vectors[0][:n]).any()) for v in boundary.vectors]
    assert epochs == [0.0, 1.0, 2.0]
    assert moved == [False, False, True]


def test_the_module_is_in_training_mode(run, model):
    run(1)
    assert model.module.training
    assert model.module[1].num_batches_tracked == 1


def test_the_jobs_rate_is_its_schedule_over_the_whole_budget():
    training = Training(
        model={"name": "mlp"},
        data={"name": "digits"},
        optimizer={"name": "sgd", "learning_rate": 0.2},
        schedule=Schedule(name="cosine"),
        budget={"epochs": 4.0},
    )
    rate = rate_of(training, 4.0)
    assert [rate(epoch) for epoch in (0.0, 2.0, 4.0)] == pytest.approx([0.2, 0.1, 0.0])
