"""Several devices of one worker: processes of their own on the CPU, over gloo."""

import os
import signal
import time
from contextlib import ExitStack

import pytest
import torch

from gossip_api.training import Budget, Data, Model, Optimizer, Training
from gossip_trainer.data.dataset import Batch
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.errors import DeviceError
from gossip_trainer.models.registry import build_model
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.gradient import GradientComputation
from gossip_trainer.training.inner_group import computing_on
from gossip_trainer.training.optimizers import build_optimizer

pytestmark = pytest.mark.jobs

CPU = torch.device("cpu")
DATASET = load_dataset(Data(name="digits"), 1)


def training(model="mlp", **args):
    return Training(
        model=Model(name=model, args=args),
        data=Data(name="digits"),
        batch_size=30,
        optimizer=Optimizer(name="sgd", learning_rate=0.1, momentum=0.9, nesterov=True),
        budget=Budget(epochs=1.0),
    )


def built(settings):
    module = build_model(
        settings.model,
        input_shape=DATASET.input_shape,
        num_classes=DATASET.num_classes,
        seed=settings.seed,
    )
    return FlatModel(module.train())


def batch(step):
    return DATASET.train_batch(torch.arange(30 * step, 30 * step + 30))


@pytest.fixture
def open_group(tmp_path):
    """Return a function that opens a group of so many devices for a model."""
    threads = torch.get_num_threads()
    with ExitStack() as stack:

        def opened(model, settings, *, size=2, own_settings=None):
            compute = GradientComputation(model, DATASET.loss, own_settings or settings)
            computing = computing_on(
                [CPU] * size,
                model,
                compute,
                settings,
                rank=0,
                folder=tmp_path,
                step_seconds=20.0,
            )
            return stack.enter_context(computing)

        yield opened
    torch.set_num_threads(threads)
    assert not list(tmp_path.iterdir())


def train(model, compute, settings, steps):
    """Train, with what an exchange might do to x between two steps."""
    optimizer = build_optimizer(settings.optimizer, [model.parameter])
    losses = []
    for step in range(steps):
        losses.append(compute(batch(step)))
        optimizer.step()
        model.vector.lerp_(torch.ones_like(model.vector), 0.01)
    return torch.stack(losses)


def test_one_device_is_the_worker_itself(open_group):
    settings = training()
    compute = open_group(built(settings), settings, size=1)
    assert isinstance(compute, GradientComputation)


def test_three_devices_train_as_one_with_the_whole_batch_does(open_group):
    settings = training()
    alone, together = built(settings), built(settings)
    reference = GradientComputation(alone, DATASET.loss, settings)
    group = open_group(together, settings, size=3)
    expected = train(alone, reference, settings, steps=8)
    losses = train(together, group, settings, steps=8)
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.vector, alone.vector, rtol=1e-4, atol=1e-5)
    assert not torch.equal(together.vector, built(settings).vector)


def test_batch_norms_take_in_the_mean_of_what_the_slices_tell(open_group):
    settings = training("normed_model:normed")
    model, halves = built(settings), [built(settings), built(settings)]
    group = open_group(model, settings)
    inputs, targets = batch(0)
    group(Batch(inputs, targets))
    for half, chosen in zip(halves, (slice(0, 15), slice(15, 30)), strict=True):
        GradientComputation(half, DATASET.loss, settings)(Batch(inputs[chosen], targets[chosen]))
    mean = (halves[0].vector + halves[1].vector) / 2
    gradient = (halves[0].gradient + halves[1].gradient) / 2
    torch.testing.assert_close(model.vector, mean)
    torch.testing.assert_close(model.gradient, gradient)
    assert not torch.equal(model.vector, built(settings).vector)


def test_a_follower_that_is_killed_ends_the_step_with_the_reason(open_group):
    settings = training()
    model = built(settings)
    group = open_group(model, settings)
    group(batch(0))
    began = time.monotonic()
    os.kill(group._followers[0]._process.pid, signal.SIGKILL)
    with pytest.raises(DeviceError, match=r"device 1 \(cpu\): it was killed by signal 9"):
        group(batch(1))
    assert time.monotonic() - began < 10.0


def test_a_follower_that_fails_says_why(open_group):
    settings = training()
    model = built(settings)
    group = open_group(model, settings)
    bad = batch(0).targets.clone()
    bad[20] = 99  # in the follower's slice, and no class
    with pytest.raises(DeviceError, match=r"device 1 \(cpu\): Target 99 is out of bounds"):
        group(Batch(batch(0).inputs, bad))


def test_a_follower_whose_model_is_another_one_is_refused(open_group):
    with pytest.raises(DeviceError, match="other tensors than the leader's"):
        open_group(built(training()), training(hidden=[16]), own_settings=training())


def test_a_follower_ends_by_itself_when_its_leader_hangs_up(open_group):
    settings = training()
    group = open_group(built(settings), settings)
    (follower,) = group._followers
    follower.end()
    assert follower._process.returncode == 0
