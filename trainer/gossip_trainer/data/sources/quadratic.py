"""Noise for the model `quadratic`: a problem of which theory knows everything.

    f(x) = h/2 |x|^2,   gradient of one example: h x + xi,   xi ~ N(0, sigma^2 I)

An example is one xi, and the model answers with that example's loss, h/2 |x|^2 + xi . x, whose
gradient is the one above. The only test example is xi = 0, so that the test loss is f(x) itself.

The xi are a pool that is drawn once from the job's seed. In every coordinate its mean is exactly 0,
so that the minimum is at 0, and its variance exactly sigma^2, up to rounding. A worker goes through
its share without repeating any before all were drawn, so the noise of its batches adds up to the
share's mean over one pass; this is felt where batch size / (learning rate * h), the examples that
x remembers, is not far below the size of the share. The share of a Partition has a mean of its own,
of variance sigma^2 / (examples of the share); sharding Shared gives everybody the same minimum.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from gossip_trainer.data.arguments import integer, not_negative, wrong
from gossip_trainer.data.dataset import Batch, Grade
from gossip_trainer.data.stream import BatchStream, IndexedStream, StreamPlan
from gossip_trainer.seeding import derive_generator

ARGUMENTS = ("dimension", "noise", "examples", "precision")
PRECISIONS = {"float32": torch.float32, "float64": torch.float64}
_MAX_ELEMENTS = 2**28  # 1 GiB of float32 in every worker; more is a slip of the pen


@dataclass(frozen=True, slots=True)
class Noise:
    """What to generate.

    Attributes:
        dimension: length of x; its coordinates are independent of each other.
        noise: sigma, standard deviation of one example's gradient in every coordinate.
        examples: how many xi are in the pool.
        dtype: of the xi, and of the model that goes with them.

    """

    dimension: int = 64
    noise: float = 1.0
    examples: int = 65_536
    dtype: torch.dtype = torch.float32

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, object]) -> Self:
        """Check what the job file says.

        Raises:
            DataError: names the argument, what it is and what is allowed.

        """
        default = cls()
        precision = arguments.get("precision", "float32")
        if not isinstance(precision, str) or precision not in PRECISIONS:
            raise wrong("precision", precision, f"one of {', '.join(PRECISIONS)}")
        noise = cls(
            dimension=integer("dimension", arguments.get("dimension", default.dimension), 1),
            noise=not_negative("noise", arguments.get("noise", default.noise)),
            examples=integer("examples", arguments.get("examples", default.examples), 2),
            dtype=PRECISIONS[precision],
        )
        if noise.examples * noise.dimension > _MAX_ELEMENTS:
            raise wrong(
                "examples", noise.examples, f"at most {_MAX_ELEMENTS} numbers in all examples"
            )
        return noise


class QuadraticDataset:
    """The pool of xi, shape (examples, dimension); a model's outputs are its losses."""

    def __init__(self, pool: Tensor) -> None:
        self._pool = pool
        self.num_examples = len(pool)
        self.input_shape = tuple(pool.shape[1:])
        self.num_classes = 1
        self.train_targets = torch.zeros(len(pool), dtype=torch.int64)

    def train_batch(self, indices: Tensor) -> Batch:
        """Return the xi at `indices`."""
        inputs = self._pool.index_select(0, indices)
        return Batch(inputs, self.train_targets.new_zeros(len(indices)))

    def test_batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield xi = 0."""
        del batch_size
        yield Batch(self._pool.new_zeros(1, *self.input_shape), self.train_targets[:1])

    def stream(self, plan: StreamPlan, state: Mapping[str, Any] | None = None) -> BatchStream:
        """Return a worker's endless stream of training batches, from `state` on."""
        return IndexedStream(self, plan, state)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean of the outputs."""
        del targets
        return outputs.mean()

    def grade(self, outputs: Tensor, targets: Tensor) -> Grade:
        """Add the outputs up."""
        del targets
        return Grade(outputs.sum().item(), None)


def load(arguments: Mapping[str, object], seed: int) -> QuadraticDataset:
    """Return the noise that `seed` gives: the same on every worker of a job.

    Raises:
        DataError: an argument has a wrong value.

    """
    noise = Noise.from_arguments(arguments)
    generator = derive_generator(seed, "quadratic")
    pool = torch.randn(noise.examples, noise.dimension, generator=generator, dtype=noise.dtype)
    pool -= pool.mean(dim=0)
    pool *= noise.noise / pool.square().mean(dim=0).sqrt()
    return QuadraticDataset(pool)
