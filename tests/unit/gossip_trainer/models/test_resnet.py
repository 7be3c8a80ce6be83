import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from gossip_trainer.models.resnet import fit_stem


@pytest.mark.parametrize("input_shape", [(1, 8, 8), (3, 32, 32)])
def test_small_images_get_a_stem_that_keeps_their_size(input_shape):
    model = resnet18(num_classes=5).eval()
    fit_stem(model, input_shape)
    images = torch.zeros(1, *input_shape)
    assert model.maxpool(model.conv1(images)).shape == (1, 64, *input_shape[1:])
    assert model(images).shape == (1, 5)


@pytest.mark.parametrize("channels", [1, 3])
def test_large_images_get_the_usual_stem_for_any_number_of_channels(channels):
    model = resnet18()
    fit_stem(model, (channels, 65, 65))
    assert isinstance(model.maxpool, nn.MaxPool2d)
    assert model.conv1.weight.shape == (64, channels, 7, 7)
    assert model.conv1.stride == (2, 2)
