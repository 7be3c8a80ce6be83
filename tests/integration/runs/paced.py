"""Small networks whose steps take a while on any machine, so that there is time to save them."""

import time

from torch import Tensor, nn

from gossip_trainer.models import cnn, mlp


class Paced(nn.Module):
    """Sleeps so many seconds in every forward of training."""

    def __init__(self, network: nn.Module, seconds: float) -> None:
        super().__init__()
        self.network = network
        self._seconds = seconds

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            time.sleep(self._seconds)
        return self.network(inputs)


def paced_cnn(seconds: float, *, input_shape: tuple[int, ...], num_classes: int) -> Paced:
    return Paced(cnn.cnn(input_shape=input_shape, num_classes=num_classes), seconds)


def paced_mlp(seconds: float, *, input_shape: tuple[int, ...], num_classes: int) -> Paced:
    network = mlp.mlp(input_shape=input_shape, num_classes=num_classes, hidden=[64])
    return Paced(network, seconds)
