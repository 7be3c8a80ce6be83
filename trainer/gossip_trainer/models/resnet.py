"""What torchvision's ResNets (He et al., arXiv:1512.03385) need to take any images."""

from torch import nn
from torchvision.models import ResNet

_SMALL = 64  # pixels; from here on down the usual stem would leave next to nothing of the image


def fit_stem(model: ResNet, input_shape: tuple[int, int, int]) -> None:
    """Give a ResNet a stem for images of shape (channels, height, width).

    Images of up to 64 pixels get the one usual for CIFAR: a 3 x 3 convolution of stride 1 and no
    pooling, instead of 7 x 7, stride 2 and pooling.
    """
    channels, height, width = input_shape
    planes = model.conv1.out_channels
    if max(height, width) <= _SMALL:
        model.conv1 = nn.Conv2d(channels, planes, 3, stride=1, padding=1, bias=False)
        model.maxpool = nn.Identity()
    elif channels != model.conv1.in_channels:
        model.conv1 = nn.Conv2d(channels, planes, 7, stride=2, padding=3, bias=False)
