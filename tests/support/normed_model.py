"""A small model with a batch norm and a frozen layer, as a job can name it."""

from torch import nn


def normed(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """Return a network for images of one channel."""
    channels, height, width = input_shape
    stem = nn.Conv2d(channels, 4, 3, padding=1)
    stem.weight.requires_grad_(requires_grad=False)
    return nn.Sequential(
        stem,
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * height * width, num_classes),
    )
