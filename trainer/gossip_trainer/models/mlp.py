"""A multilayer perceptron over flattened inputs."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import nn

from gossip_trainer.models.checks import check_widths


def mlp(
    *, input_shape: tuple[int, ...], num_classes: int, hidden: Sequence[int] = (256, 256)
) -> nn.Module:
    """Return linear layers with ReLU between them.

    Args:
        input_shape: any; inputs are flattened.
        num_classes: width of the last layer.
        hidden: widths of the hidden layers; an empty list gives logistic regression.

    """
    widths = (prod(input_shape), *check_widths("hidden", hidden))
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], num_classes))
