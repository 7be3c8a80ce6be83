import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gossip_api.training import Optimizer
from gossip_trainer.errors import DivergedError
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.boundary import Turn
from gossip_trainer.training.counters import Counters
from gossip_trainer.training.optimizers import build_optimizer
from gossip_trainer.training.stepper import Stepper, StepRules


class Boundary:
    """Notes what it is told, waits 2 s and 3 s in every step, and ends after some steps."""

    steps_locally = True
    averages_gradients = False
    num_live = 4

    def __init__(self, model, steps=100):
        self.model, self.steps = model, steps
        self.gradients, self.vectors, self.losses, self.samples = [], [], [], []
        self.told, self.skipped = [], []
        self.turns = []
        self.has_diverged = False

    @property
    def counters(self):
        return Counters(steps=len(self.losses))

    @property
    def epoch(self):
        return float(len(self.losses))

    def diverged(self):
        self.has_diverged = True

    def begin_step(self):
        self.told.append("begin_step")

    def gradient_ready(self, samples):
        self.told.append("gradient_ready")
        yield 2.0
        turn = self.turns.pop(0) if self.turns else Turn.STEP
        if turn is Turn.REPEAT:
            self.model.renew_gradient()
            return turn
        self.samples.append(samples)
        self.gradients.append(self.model.gradient.clone())
        self.vectors.append(self.model.vector.clone())
        return turn

    def step_done(self, loss, *, skipped=False):
        self.told.append("step_done")
        yield 3.0
        self.losses.append(loss)
        self.skipped.append(skipped)
        return len(self.losses) < self.steps


@pytest.fixture
def model():
    torch.manual_seed(2)
    return FlatModel(nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)))


@pytest.fixture
def boundary(model):
    return Boundary(model)


@pytest.fixture
def optimizer(model):
    return build_optimizer(Optimizer(name="sgd", learning_rate=0.1), [model.parameter])


@pytest.fixture
def stepper(model, boundary, optimizer):
    def make(*, wait=lambda seconds: None, **rules):
        return Stepper(
            model,
            optimizer,
            boundary,
            rules=StepRules(**rules),
            wait=wait,
        )

    return make


@pytest.fixture
def compute(model):
    generator = torch.Generator().manual_seed(1)

    def compute():
        model.gradient.zero_()
        inputs = torch.randn(8, 6, generator=generator)
        loss = cross_entropy(model.module(inputs), torch.arange(8) % 3)
        loss.backward()
        return loss

    return compute


def poison(model, *, loss=1.0, value=math.nan):
    def compute():
        model.gradient.zero_()
        model.gradient[3] = value
        return torch.tensor(loss)

    return compute


def test_it_goes_on_until_the_boundary_says_that_it_is_enough(stepper, boundary, compute):
    boundary.steps = 3
    stepper = stepper()
    for _ in range(3):
        assert stepper.going
        stepper.step(compute, 8)
    assert not stepper.going


def test_it_waits_as_long_as_the_boundary_wants_to(stepper, boundary, compute):
    waited = []
    stepper = stepper(wait=waited.append)
    stepper.begin()
    stepper.step(compute, 8)
    assert boundary.told == ["begin_step", "gradient_ready", "step_done"]
    assert waited == [2.0, 3.0]


def test_a_step_whose_gradient_comes_in_parts_begins_once(stepper, boundary, compute):
    stepper = stepper()
    for _ in range(2):
        stepper.begin()
        stepper.begin()
        stepper.step(compute, 8)
    assert boundary.told == ["begin_step", "gradient_ready", "step_done"] * 2


def test_the_step_follows_the_gradient(stepper, boundary, model, compute):
    stepper = stepper()
    stepper.step(compute, 8)
    n = model.layout.num_parameters
    before, gradient = boundary.vectors[0], boundary.gradients[0]
    torch.testing.assert_close(model.vector[:n], before[:n] - 0.1 * gradient)
    assert boundary.samples == [8]


def test_where_a_server_steps_the_worker_does_not(stepper, boundary, model, compute):
    boundary.steps_locally = False
    stepper().step(compute, 8)
    n = model.layout.num_parameters
    assert torch.equal(model.vector[:n], boundary.vectors[0][:n])
    assert boundary.gradients[0].any()


def test_the_rate_of_the_step_before_stands_until_the_boundary_has_had_the_gradient(
    stepper, boundary, optimizer, compute
):
    # It tells where x lies against the look-ahead.
    seen = []
    group = optimizer.param_groups[0]
    stepper = stepper(rate=lambda epoch, live: 0.2 + epoch, wait=lambda s: seen.append(group["lr"]))
    stepper.step(compute, 8)
    stepper.step(compute, 8)
    assert seen == [0.1, 0.2, 0.2, 1.2]


def test_the_rate_is_told_how_many_workers_live(stepper, compute):
    told = []
    stepper(rate=lambda epoch, live: told.append((epoch, live)) or 0.1).step(compute, 8)
    assert told == [(0.0, 4)]


def test_without_a_rate_the_optimizers_own_stays(stepper, optimizer, compute):
    stepper().step(compute, 8)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_a_gradient_whose_mean_was_lost_is_computed_anew(stepper, boundary, compute):
    boundary.turns = [Turn.REPEAT, Turn.STEP]
    computed = []
    stepper().step(lambda: computed.append(1) or compute(), 8)
    assert len(computed) == 2
    assert boundary.told == ["gradient_ready", "begin_step", "gradient_ready", "step_done"]


def test_it_ends_without_a_step_where_the_job_ended_meanwhile(stepper, boundary, model, compute):
    boundary.turns = [Turn.END]
    stepper = stepper()
    before = model.vector[: model.layout.num_parameters].clone()
    stepper.step(compute, 8)
    assert not stepper.going
    assert torch.equal(model.vector[: model.layout.num_parameters], before)


def test_a_long_gradient_is_scaled_down(stepper, boundary, model, compute):
    stepper(max_norm=0.01).step(compute, 8)
    assert boundary.gradients[0].norm() == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"loss": math.inf, "value": 1.0}, "the loss is inf"),
        ({"value": math.nan}, "the gradient's norm is nan"),
    ],
)
def test_what_is_not_finite_ends_the_job_before_anybody_sees_it(
    stepper, boundary, model, kind, words
):
    before = model.vector.clone()
    with pytest.raises(DivergedError, match=f"training diverged: at step 1 {words}; lower"):
        stepper(non_finite="Stop").step(poison(model, **kind), 8)
    assert boundary.has_diverged
    assert boundary.told == []
    assert torch.equal(model.vector, before)


def test_by_choice_such_a_step_is_left_out_and_told(stepper, boundary, model):
    before = model.vector.clone()
    stepper = stepper(non_finite="Skip")
    stepper.step(poison(model), 8)
    assert stepper.going
    assert boundary.skipped == [True]
    assert not boundary.gradients[0].any()
    assert torch.equal(model.vector, before)


def test_of_a_mean_all_judge_alike_whatever_the_own_loss(stepper, boundary, model):
    boundary.averages_gradients = True
    stepper = stepper(non_finite="Skip")
    stepper.step(poison(model, loss=math.nan, value=1.0), 8)
    stepper.step(poison(model, loss=1.0, value=math.nan), 8)
    assert boundary.skipped == [False, True]


def test_it_is_in_a_step_from_its_beginning_until_it_is_taken(stepper, compute):
    stepper = stepper()
    assert not stepper.in_step
    stepper.begin()
    stepper.begin()  # of a gradient that comes in two parts
    assert stepper.in_step
    stepper.step(compute, 8)
    assert not stepper.in_step
