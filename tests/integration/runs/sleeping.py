"""A model whose compute is a timed sleep, so that freed or stolen processor time hides nothing."""

import os
import time
from pathlib import Path

import torch
from torch import Tensor, nn


class Sleeping(nn.Module):
    """Sleeps in every forward of training and notes the moment it began.

    Args:
        seconds: of one step's compute.
        ballast: values that are exchanged with the rest but cost no gradient.
        folder: where each process appends the moments, one line each.

    """

    def __init__(self, seconds: float, ballast: int, folder: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(10))
        self.ballast = nn.Parameter(torch.zeros(ballast))
        self._seconds = seconds
        self._folder = folder

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            path = Path(self._folder) / f"{os.environ['GOSSIP_RANK']}.steps"
            with path.open("a", encoding="ascii") as file:
                file.write(f"{time.monotonic()}\n")
            time.sleep(self._seconds)
        return inputs.flatten(1)[:, :10] + self.weight
