import pytest
import torch
from torch import nn

from gossip_trainer.models.mlp import mlp


def widths(model):
    return [tuple(layer.weight.shape) for layer in model if isinstance(layer, nn.Linear)]


def test_by_default_there_are_two_hidden_layers_of_256():
    model = mlp(input_shape=(1, 28, 28), num_classes=10)
    assert widths(model) == [(256, 784), (256, 256), (10, 256)]
    assert sum(parameter.numel() for parameter in model.parameters()) == 269_322


@pytest.mark.parametrize("input_shape", [(5,), (3, 4, 4), (2, 3)])
def test_inputs_of_any_shape_are_flattened(input_shape):
    model = mlp(input_shape=input_shape, num_classes=3, hidden=[7])
    assert model(torch.zeros(2, *input_shape)).shape == (2, 3)


def test_without_hidden_layers_it_is_logistic_regression():
    assert widths(mlp(input_shape=(4,), num_classes=3, hidden=[])) == [(3, 4)]
