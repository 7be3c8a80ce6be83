"""A model that computes for as long as it is told, most of it asleep.

Four workers on two cores would fight for them; asleep they do not. The gradient is real.
"""

import math
import os
import random
import time
from collections.abc import Iterator
from statistics import NormalDist

from torch import Tensor, nn

from gossip_trainer.models.mlp import mlp

BLOCK = 20


def naps(seconds: float, jitter: float, seed: str) -> Iterator[float]:
    """Yield lognormal lengths of the given mean.

    Every 20 in a row are its quantiles in random order: a short run then has its share of long
    ones, and two short runs differ by what is measured and not by luck.
    """
    stream, mu = random.Random(seed), math.log(seconds) - jitter**2 / 2
    normal = NormalDist(mu, jitter)
    block = [math.exp(normal.inv_cdf((index + 0.5) / BLOCK)) for index in range(BLOCK)]
    while True:
        yield from stream.sample(block, BLOCK)


class Paced(nn.Module):
    """A perceptron that sleeps before every forward of training, in a worker process only.

    Args:
        seconds: mean of the sleep.
        jitter: standard deviation of its logarithm.
        hidden: widths of the perceptron.
        slow: rank of a worker whose step takes `slowdown` times as long; -1 for none.
        slowdown: of that worker.

    """

    def __init__(self, seconds, jitter, hidden, slow, slowdown, input_shape, num_classes) -> None:
        super().__init__()
        self.inner = mlp(input_shape=input_shape, num_classes=num_classes, hidden=hidden)
        rank = os.environ.get("GOSSIP_RANK")
        self._sleeps = rank is not None
        self._slowdown = slowdown if rank == str(slow) else 1.0
        self._naps = naps(seconds, jitter, f"naps of {rank}")
        self._used = time.thread_time()

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training and self._sleeps:
            # What is slow is slow in all it does, the gradient included.
            busy = time.thread_time() - self._used
            nap = next(self._naps)
            time.sleep(self._slowdown * nap + (self._slowdown - 1.0) * busy)
            self._used = time.thread_time()
        return self.inner(inputs)


def paced(
    seconds: float,
    jitter: float,
    hidden: list[int],
    input_shape: tuple[int, ...],
    num_classes: int,
    slow: int = -1,
    slowdown: float = 1.0,
) -> nn.Module:
    return Paced(seconds, jitter, hidden, slow, slowdown, input_shape, num_classes)
