import pytest
import torch
from torch import nn

from gossip_trainer.models.cnn import cnn


@pytest.mark.parametrize(
    "input_shape", [(1, 4, 4), (1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 9, 31)]
)
def test_it_fits_images_of_many_sizes(input_shape):
    model = cnn(input_shape=input_shape, num_classes=7)
    assert model(torch.zeros(2, *input_shape)).shape == (2, 7)


def test_it_has_two_convolutions_of_the_widths_asked_for_and_two_linear_layers():
    model = cnn(input_shape=(1, 8, 8), num_classes=7, channels=[3, 5])
    convolutions = [layer for layer in model if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [3, 5]
    assert len([layer for layer in model if isinstance(layer, nn.Linear)]) == 2
