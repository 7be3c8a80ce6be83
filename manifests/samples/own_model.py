"""The model of 14-own-model.yaml: a multilayer perceptron with residual connections."""

import math

from torch import Tensor, nn


class _Block(nn.Module):
    """Adds to its input what two layers make of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.layers(inputs)


def residual_mlp(
    *, input_shape: tuple[int, ...], num_classes: int, width: int = 64, blocks: int = 2
) -> nn.Module:
    """Return the network; the job gives `width` and `blocks`, its data set the other two."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(input_shape), width),
        *(_Block(width) for _ in range(blocks)),
        nn.Linear(width, num_classes),
    )
