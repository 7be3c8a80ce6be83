import pytest
import torch
from torch import nn

from gossip_api.training import Optimizer
from gossip_trainer.training.optimizers import build_optimizer

SGD = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-2},
]


def settings(name, **values):
    return Optimizer(name=name, learning_rate=0.05, **values)


def train_(parameter, optimizer, steps=10):
    """Follow fixed pseudo-random gradients."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()
    return parameter.detach()


def start(length):
    return nn.Parameter(torch.linspace(-1, 1, length))


@pytest.mark.parametrize("values", SGD)
def test_sgd_of_a_padded_vector_is_torchs_plain_sgd_bit_for_bit(values):
    fused, plain = start(16 * 77), start(16 * 77)
    train_(fused, build_optimizer(settings("sgd", **values), [fused]))
    train_(plain, torch.optim.SGD([plain], lr=0.05, **values, foreach=False, fused=False))
    assert torch.equal(fused, plain)


@pytest.mark.parametrize("values", SGD)
def test_sgd_of_any_length_differs_from_plain_sgd_by_rounding_only(values):
    fused, plain = start(1003), start(1003)
    train_(fused, build_optimizer(settings("sgd", **values), [fused]))
    train_(plain, torch.optim.SGD([plain], lr=0.05, **values, foreach=False, fused=False))
    assert torch.equal(fused[:992], plain[:992])
    torch.testing.assert_close(fused, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "reference"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_adam_is_torchs_up_to_rounding(name, reference):
    chosen = {"weight_decay": 0.1, "betas": (0.8, 0.99)}
    fused, plain = start(1003), start(1003)
    train_(fused, build_optimizer(settings(name, epsilon=1e-6, **chosen), [fused]))
    train_(plain, reference([plain], lr=0.05, eps=1e-6, **chosen, foreach=False, fused=False))
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_the_same_gradients_give_the_same_parameters_again(name):
    results = []
    for _ in range(2):
        parameter = start(1003)
        results.append(train_(parameter, build_optimizer(settings(name), [parameter])))
    assert torch.equal(*results)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_updates_are_fused_and_follow_a_changed_learning_rate(name):
    parameter = start(32)
    optimizer = build_optimizer(settings(name), [parameter])
    assert optimizer.param_groups[0]["fused"] is True
    optimizer.param_groups[0]["lr"] = 0.0
    assert torch.equal(train_(parameter, optimizer), start(32).detach())


def test_weight_decay_of_adam_is_part_of_the_gradient_and_of_adamw_is_not():
    adam = build_optimizer(settings("adam", weight_decay=0.1), [start(16)])
    adamw = build_optimizer(settings("adamw", weight_decay=0.1), [start(16)])
    assert type(adam) is torch.optim.Adam
    assert type(adamw) is torch.optim.AdamW
