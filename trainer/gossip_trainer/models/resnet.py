"""ResNet-18 (He et al., arXiv:1512.03385) as torchvision builds it, fitted to the data."""

from torch import nn
from torchvision.models import resnet18 as torchvision_resnet18

from gossip_trainer.models.checks import check_image_shape

_SMALL = 64  # pixels; from here on down the usual stem would leave next to nothing of the image


def resnet18(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """Return ResNet-18 without pre-trained weights.

    Images of up to 64 pixels get the stem usual for CIFAR: a 3 x 3 convolution of stride 1 and no
    pooling, instead of 7 x 7, stride 2 and pooling.

    Args:
        input_shape: (channels, height, width), at least 8 x 8 pixels.
        num_classes: width of the last layer.

    """
    channels, height, width = check_image_shape("resnet18", input_shape, min_side=8)
    model: nn.Module = torchvision_resnet18(num_classes=num_classes)
    if max(height, width) <= _SMALL:
        model.conv1 = nn.Conv2d(channels, 64, 3, stride=1, padding=1, bias=False)
        model.maxpool = nn.Identity()
    elif channels != 3:
        model.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    return model
