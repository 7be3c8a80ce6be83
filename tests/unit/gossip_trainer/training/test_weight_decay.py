"""Norms and biases that do not decay, in one flat parameter of which only a leading part does."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gossip_api.training import Optimizer
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.optimizers import build_optimizer

OPTIMIZERS = [
    {"name": "sgd"},
    {"name": "sgd", "momentum": 0.9},
    {"name": "sgd", "momentum": 0.9, "nesterov": True},
    {"name": "adam"},
    {"name": "adamw"},
]
CLASSES = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def settings(values, **more):
    return Optimizer(**values, learning_rate=0.05, weight_decay=0.1, **more)


@pytest.fixture
def module():
    torch.manual_seed(1)
    # A bias before a batch norm has no gradient but rounding, which Adam would blow up.
    layers = (nn.Conv2d(1, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(5 * 16, 3))


def two_groups(module, values):
    """Return torch's own way to say it."""
    chosen = {key: value for key, value in values.items() if key != "name"}
    weights = [p for p in module.parameters() if p.dim() >= 2]
    others = [p for p in module.parameters() if p.dim() < 2]
    groups = [{"params": weights, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return CLASSES[values["name"]](groups, lr=0.05, **chosen)


def train_(module, optimizer, clear):
    generator = torch.Generator().manual_seed(2)
    for step in range(6):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 / (1 + step)
        clear()
        inputs = torch.randn(8, 1, 6, 6, generator=generator)
        cross_entropy(module(inputs), torch.arange(8) % 3).backward()
        optimizer.step()


@pytest.mark.parametrize("values", OPTIMIZERS)
def test_norms_and_biases_without_decay_are_a_group_of_their_own_in_torch(values, module):
    other = copy.deepcopy(module)
    flat = FlatModel(module)
    optimizer = build_optimizer(
        settings(values, decay_norms=False), [flat.parameter], num_weights=flat.layout.num_weights
    )
    train_(module, optimizer, flat.gradient.zero_)
    reference = two_groups(other, values)
    train_(other, reference, reference.zero_grad)
    for name, parameter in other.named_parameters():
        torch.testing.assert_close(
            module.get_parameter(name), parameter, rtol=1e-4, atol=1e-5, msg=name
        )


@pytest.mark.parametrize("values", OPTIMIZERS)
def test_parts_of_the_vector_that_lie_on_several_servers_decay_alike(values, module):
    layout = FlatModel(module).layout
    whole = nn.Parameter(torch.linspace(-1, 1, layout.num_parameters))
    middle = layout.num_weights - 16  # one server has weights alone, the other has both
    parts = [nn.Parameter(whole[:middle].clone()), nn.Parameter(whole[middle:].clone())]
    chosen = settings(values, decay_norms=False)
    optimizers = [
        build_optimizer(chosen, [parameter], num_weights=num_weights)
        for parameter, num_weights in ((whole, layout.num_weights), (parts[0], middle))
    ] + [build_optimizer(chosen, [parts[1]], num_weights=16)]
    generator = torch.Generator().manual_seed(3)
    for _ in range(4):
        gradient = torch.randn(whole.shape, generator=generator)
        whole.grad, parts[0].grad = gradient.clone(), gradient[:middle].clone()
        parts[1].grad = gradient[middle:].clone()
        for optimizer in optimizers:
            optimizer.step()
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("values", OPTIMIZERS)
def test_without_a_gradient_only_weights_shrink(values):
    parameter = nn.Parameter(torch.ones(32))
    parameter.grad = torch.zeros(32)
    chosen = settings(values, decay_norms=False)
    build_optimizer(chosen, [parameter], num_weights=16).step()
    assert (parameter[:16] < 1.0).all()
    assert (parameter[16:] == 1.0).all()


def test_the_learning_rate_of_the_moment_is_what_adamw_shrinks_by():
    parameter = nn.Parameter(torch.ones(32))
    parameter.grad = torch.zeros(32)
    chosen = settings({"name": "adamw"}, decay_norms=False)
    optimizer = build_optimizer(chosen, [parameter], num_weights=16)
    optimizer.param_groups[0]["lr"] = 0.5
    optimizer.step()
    torch.testing.assert_close(parameter[:16].detach(), torch.full((16,), 0.95))
