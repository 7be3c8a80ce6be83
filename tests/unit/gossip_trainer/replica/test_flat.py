import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gossip_api.training import Optimizer
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.optimizers import build_optimizer

SGD = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-2},
]


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 13), nn.ReLU(), nn.Linear(13, 3))


def conv():
    return nn.Sequential(
        *(nn.Conv2d(1, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5), nn.ReLU()),
        *(nn.Conv2d(5, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)),
    )


def partly_frozen():
    module = mlp()
    module[1].weight.requires_grad_(False)
    return module


def tied():
    module = nn.Sequential(nn.Flatten(), nn.Linear(36, 36), nn.Tanh(), nn.Linear(36, 36))
    module[3].weight = module[1].weight
    return module


MODELS = [mlp, conv, partly_frozen, tied]


def built(make):
    torch.manual_seed(11)
    return make()


def batches(count=20):
    generator = torch.Generator().manual_seed(12)
    for _ in range(count):
        yield (
            torch.randn(8, 1, 6, 6, generator=generator),
            torch.randint(3, (8,), generator=generator),
        )


def train_(module, optimizer, clear):
    for inputs, targets in batches():
        clear()
        cross_entropy(module(inputs), targets).backward()
        optimizer.step()


@pytest.mark.parametrize("make", MODELS)
def test_the_module_computes_what_it_computed_before(make):
    module = built(make)
    plain = copy.deepcopy(module)
    flat = FlatModel(module)
    for inputs, _ in batches(3):
        assert torch.equal(flat.module(inputs), plain(inputs))


@pytest.mark.parametrize("make", MODELS)
def test_parameters_and_float_buffers_live_in_the_vector_and_gaps_are_zero(make):
    flat = FlatModel(built(make))
    state = flat.module.state_dict()
    for name, tensor in [(e.name, e.of(flat.vector)) for e in flat.layout.entries]:
        assert state[name].data_ptr() == tensor.data_ptr()
    for tensor in [entry.of(flat.vector) for entry in flat.layout.entries]:
        tensor.zero_()
    assert not flat.vector.any()


@pytest.mark.parametrize("make", MODELS)
def test_gradients_land_in_the_flat_gradient(make):
    module = built(make)
    plain = copy.deepcopy(module)
    flat = FlatModel(module)
    inputs, targets = next(batches())
    for model in (plain, flat.module):
        cross_entropy(model(inputs), targets).backward()
    expected = {name: p.grad for name, p in plain.named_parameters() if p.requires_grad}
    for entry in flat.layout.trainable:
        assert torch.equal(entry.of(flat.gradient), expected[entry.name])
    assert flat.parameter.grad.data_ptr() == flat.gradient.data_ptr()


def test_gradients_stay_in_the_flat_gradient_when_it_is_cleared_by_zeroing():
    flat = FlatModel(built(mlp))
    (inputs, targets), *_ = batches(1)
    for _ in range(2):
        flat.gradient.zero_()
        cross_entropy(flat.module(inputs), targets).backward()
    once = flat.gradient.clone()
    assert once.any()
    cross_entropy(flat.module(inputs), targets).backward()
    torch.testing.assert_close(flat.gradient, 2 * once)


@pytest.mark.parametrize("values", SGD)
@pytest.mark.parametrize("make", MODELS)
def test_training_the_vector_is_training_the_module_bit_for_bit(make, values):
    module = built(make)
    plain = copy.deepcopy(module)
    flat = FlatModel(module)
    settings = Optimizer(name="sgd", learning_rate=0.05, **values)
    fused = build_optimizer(settings, [flat.parameter])
    reference = torch.optim.SGD(plain.parameters(), lr=0.05, **values)
    train_(flat.module, fused, flat.gradient.zero_)
    train_(plain, reference, reference.zero_grad)
    trained, expected = flat.module.state_dict(), plain.state_dict()
    for name in expected:
        assert torch.equal(trained[name], expected[name]), name


def test_frozen_parameters_are_exchanged_but_not_moved():
    flat = FlatModel(built(partly_frozen))
    before = flat.module[1].weight.clone()
    settings = Optimizer(name="sgd", learning_rate=0.5, momentum=0.9, weight_decay=0.1)
    train_(flat.module, build_optimizer(settings, [flat.parameter]), flat.gradient.zero_)
    assert torch.equal(flat.module[1].weight, before)
    (entry,) = flat.layout.others
    assert torch.equal(entry.of(flat.vector), before)
    assert entry.offset >= flat.layout.num_parameters == flat.parameter.numel()


def test_batch_norm_statistics_keep_updating_inside_the_vector():
    flat = FlatModel(built(conv))
    (mean,) = (e.of(flat.vector) for e in flat.layout.others if e.name == "1.running_mean")
    seen = [mean.clone()]
    for inputs, _ in batches(2):
        flat.module(inputs)
        seen.append(mean.clone())
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])
    assert flat.module[1].num_batches_tracked == 2


def test_loading_a_vector_makes_the_module_compute_with_it():
    flat, other = FlatModel(built(conv)), FlatModel(conv())
    for inputs, _ in batches(2):
        other.module(inputs)
    flat.load_(other.vector)
    inputs, _ = next(batches())
    assert torch.equal(flat.module.eval()(inputs), other.module.eval()(inputs))
    assert flat.vector.data_ptr() != other.vector.data_ptr()
