"""The point x that peers exchange, and training that is disturbed by nothing but mixing."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gossip_api.training import Optimizer
from gossip_trainer.algorithms.iterate import BLOCK, Iterate, LookAhead
from gossip_trainer.replica.flat import FlatModel, iterate_of
from gossip_trainer.training.optimizers import build_optimizer

WEIGHT = 0.3
SHIFT = 0.09  # momentum coefficient times learning rate
TAIL = 5  # float buffers behind the parameters
SIZES = [1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 17]


def vectors(size, count):
    generator = torch.Generator().manual_seed(size)
    return [torch.randn(size, generator=generator, dtype=torch.float64) for _ in range(count)]


def base_point(live, momentum):
    base = live.clone()
    base[: len(momentum)] += SHIFT * momentum
    return base


def test_without_look_ahead_x_is_the_live_vector():
    live, out = vectors(1000, 2)
    Iterate(live).write_to_(out)
    assert torch.equal(out, live)


@pytest.mark.parametrize("size", SIZES)
def test_without_look_ahead_lerp_mixes_the_live_vector(size):
    live, other = vectors(size, 2)
    expected = (1 - WEIGHT) * live + WEIGHT * other
    Iterate(live).lerp_(other, WEIGHT)
    torch.testing.assert_close(live, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("size", SIZES)
def test_with_look_ahead_write_to_gives_the_base_point(size):
    live, out = vectors(size + TAIL, 2)
    (momentum,) = vectors(size, 1)
    before = live.clone()
    Iterate(live, LookAhead(momentum, SHIFT)).write_to_(out)
    torch.testing.assert_close(out, base_point(live, momentum), rtol=0, atol=1e-14)
    assert torch.equal(out[size:], live[size:])
    assert torch.equal(live, before)


@pytest.mark.parametrize("size", SIZES)
def test_with_look_ahead_lerp_mixes_the_base_point_and_leaves_the_momentum(size):
    live, other = vectors(size + TAIL, 2)
    (momentum,) = vectors(size, 1)
    kept, start = momentum.clone(), base_point(live, momentum)
    Iterate(live, LookAhead(momentum, SHIFT)).lerp_(other, WEIGHT)
    expected = (1 - WEIGHT) * start + WEIGHT * other
    torch.testing.assert_close(base_point(live, momentum), expected, rtol=0, atol=1e-13)
    assert torch.equal(momentum, kept)


def test_with_look_ahead_buffers_mix_plainly():
    live, other = vectors(100 + TAIL, 2)
    (momentum,) = vectors(100, 1)
    expected = live[100:].clone().lerp_(other[100:], WEIGHT)
    Iterate(live, LookAhead(momentum, SHIFT)).lerp_(other, WEIGHT)
    assert torch.equal(live[100:], expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("looks_ahead", [False, True])
def test_lerp_leaves_the_other_vector_as_it_is(size, looks_ahead):
    live, other, momentum = vectors(size, 3)
    before = other.clone()
    Iterate(live, LookAhead(momentum, SHIFT) if looks_ahead else None).lerp_(other, WEIGHT)
    assert torch.equal(other, before)


def test_mixing_with_weight_one_takes_the_other_vector_over():
    live, other, momentum = vectors(1000, 3)
    Iterate(live, LookAhead(momentum, SHIFT)).lerp_(other, 1.0)
    torch.testing.assert_close(base_point(live, momentum), other, rtol=0, atol=1e-14)


both_kinds = pytest.mark.parametrize("looks_ahead", [False, True])


def iterate_and_start(size, *, looks_ahead):
    """Return an iterate of `size` parameters and TAIL buffers, and its x."""
    (live,), (momentum,) = vectors(size + TAIL, 1), vectors(size, 1)
    x = Iterate(live, LookAhead(momentum, SHIFT) if looks_ahead else None)
    return x, base_point(live, momentum) if looks_ahead else live.clone()


def assert_is(x, expected):
    torch.testing.assert_close(x.copy(), expected, rtol=0, atol=1e-13)


@both_kinds
def test_a_copy_is_x_and_no_longer_follows_it(looks_ahead):
    x, start = iterate_and_start(100, looks_ahead=looks_ahead)
    copied = x.copy()
    x.live.fill_(0.0)
    torch.testing.assert_close(copied, start, rtol=0, atol=1e-14)


@both_kinds
@pytest.mark.parametrize("part", [slice(0, 105), slice(20, 60), slice(90, 103), slice(100, 105)])
def test_adding_to_a_part_moves_x_there_and_nowhere_else(looks_ahead, part):
    x, expected = iterate_and_start(100, looks_ahead=looks_ahead)
    (difference,) = vectors(part.stop - part.start, 1)
    expected[part] -= 0.5 * difference
    x.add_(difference, alpha=-0.5, start=part.start)
    assert_is(x, expected)


@both_kinds
@pytest.mark.parametrize("part", [slice(0, 105), slice(20, 60), slice(90, 103), slice(100, 105)])
def test_assigning_a_part_sets_x_there_and_nowhere_else(looks_ahead, part):
    x, expected = iterate_and_start(100, looks_ahead=looks_ahead)
    (value,) = vectors(part.stop - part.start, 1)
    expected[part] = value
    x.assign_(value, start=part.start)
    assert_is(x, expected)


def test_no_change_of_x_touches_the_momentum():
    live, value, momentum = vectors(100, 3)
    kept, x = momentum.clone(), Iterate(live, LookAhead(momentum, SHIFT))
    x.add_(value)
    x.assign_(value)
    assert torch.equal(momentum, kept)


class Sutskever:
    """Nesterov momentum as the paper's authors write it, over x and v, independent of torch's SGD.

    v <- mu v - eta (g(x + mu v) + decay (x + mu v));  x <- x + v
    """

    def __init__(self, module, rate, momentum, decay):
        self._probe = FlatModel(copy.deepcopy(module))
        self._rate, self._momentum, self._decay = rate, momentum, decay
        self.x = self._probe.vector.clone()
        self._n = self._probe.layout.num_parameters
        self._v = torch.zeros(self._n, dtype=self.x.dtype)

    def step(self, inputs, targets):
        probe, n = self._probe, self._n
        point = self.x.clone()
        point[:n] += self._momentum * self._v
        probe.load_(point)
        probe.gradient.zero_()
        cross_entropy(probe.module(inputs), targets).backward()
        gradient = probe.gradient + self._decay * point[:n]
        self._v = self._momentum * self._v - self._rate * gradient
        self.x[:n] += self._v
        self.x[n:] = probe.vector[n:]  # batch-norm statistics have no momentum

    def mix(self, other, weight):
        self.x = (1 - weight) * self.x + weight * other


@pytest.fixture
def module():
    torch.manual_seed(3)
    layers = nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.Tanh(), nn.Linear(9, 4))
    return layers.double()


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(4)
    return [
        (
            torch.randn(16, 6, generator=generator, dtype=torch.float64),
            torch.randint(4, (16,), generator=generator),
        )
        for _ in range(15)
    ]


@pytest.mark.parametrize("decay", [0.0, 0.02])
@pytest.mark.parametrize("weight", [None, 0.5, 0.3])
def test_what_nesterov_sgd_publishes_is_the_iterate_without_look_ahead(
    module, batches, decay, weight
):
    settings = Optimizer(
        name="sgd", learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=decay
    )
    reference = Sutskever(module, 0.1, 0.9, decay)
    model = FlatModel(module)
    optimizer = build_optimizer(settings, [model.parameter])
    generator = torch.Generator().manual_seed(5)
    published = torch.empty_like(model.vector)
    for inputs, targets in batches:
        model.gradient.zero_()
        cross_entropy(model.module(inputs), targets).backward()
        optimizer.step()
        reference.step(inputs, targets)
        iterate_of(model, optimizer).write_to_(published)
        torch.testing.assert_close(published, reference.x, rtol=0, atol=1e-13)
        if weight is not None:
            noise = torch.randn(published.shape, generator=generator, dtype=torch.float64)
            other = published + 0.1 * noise.abs()
            iterate_of(model, optimizer).lerp_(other, weight)
            reference.mix(other, weight)
    iterate_of(model, optimizer).write_to_(published)
    torch.testing.assert_close(published, reference.x, rtol=0, atol=1e-13)
    assert (published - model.vector).abs().max() > 1e-3, "the look-ahead must have mattered"


@pytest.mark.parametrize(
    "values", [{"name": "sgd", "momentum": 0.9}, {"name": "sgd"}, {"name": "adam"}]
)
def test_without_nesterov_the_live_vector_itself_is_exchanged(module, batches, values):
    model = FlatModel(module)
    optimizer = build_optimizer(Optimizer(learning_rate=0.1, **values), [model.parameter])
    inputs, targets = batches[0]
    cross_entropy(model.module(inputs), targets).backward()
    optimizer.step()
    published = torch.empty_like(model.vector)
    iterate_of(model, optimizer).write_to_(published)
    assert torch.equal(published, model.vector)
