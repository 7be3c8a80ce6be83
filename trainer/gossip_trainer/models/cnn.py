"""A small convolutional network for images of 8 x 8 to about 32 x 32 pixels."""

from collections.abc import Sequence

from torch import nn

from gossip_trainer.models.checks import check_image_shape, check_widths

_HIDDEN = 128


def cnn(
    *, input_shape: tuple[int, ...], num_classes: int, channels: Sequence[int] = (16, 32)
) -> nn.Module:
    """Return two convolutions, each with ReLU and 2 x 2 max-pooling, and two linear layers.

    Args:
        input_shape: (channels, height, width), at least 4 x 4 pixels.
        num_classes: width of the last layer.
        channels: of the first and the second convolution.

    """
    planes, height, width = check_image_shape("cnn", input_shape, min_side=4)
    first, second = check_widths("channels", channels, length=2)
    return nn.Sequential(
        *(nn.Conv2d(planes, first, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(first, second, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(second * (height // 4) * (width // 4), _HIDDEN), nn.ReLU()),
        nn.Linear(_HIDDEN, num_classes),
    )
