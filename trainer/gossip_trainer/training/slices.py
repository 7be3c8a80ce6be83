"""What the leader and the followers of one worker do alike in a step: their slice of a batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from gossip_trainer.data.dataset import Batch
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.fabric import Fabric


@dataclass(frozen=True, slots=True)
class SliceShapes:
    """What a follower is told of the slice that it is to take.

    Attributes:
        shapes: of inputs and targets.
        dtypes: of both.
        num_examples: of the whole batch.

    """

    shapes: tuple[torch.Size, ...]
    dtypes: tuple[torch.dtype, ...]
    num_examples: int

    @classmethod
    def of(cls, part: Batch, num_examples: int) -> Self:
        """Describe a slice."""
        return cls(
            tuple(each.shape for each in part), tuple(each.dtype for each in part), num_examples
        )

    def room(self) -> Batch:
        """Return room for it in host memory."""
        sizes = zip(self.shapes, self.dtypes, strict=True)
        return Batch(*(torch.empty(shape, dtype=dtype) for shape, dtype in sizes))


class SliceComputation:
    """One process's part in every step.

    Args:
        model: its replica; the leader's is the worker's.
        compute: leaves the mean gradient of a slice in the model and returns its mean loss.
        fabric: its end.

    """

    def __init__(
        self, model: FlatModel, compute: Callable[[Batch], Tensor], fabric: Fabric
    ) -> None:
        self._model = model
        self._compute = compute
        self._fabric = fabric

    def receive(self) -> None:
        """Take the leader's vector."""
        self._fabric.broadcast_(self._model.vector)

    def compute(self, part: Batch, num_examples: int) -> Tensor:
        """Compute a slice; on the leader, return the loss of the whole batch.

        The leader's model then holds the gradient of the whole batch, and float buffers that have
        moved by the mean of all moves. What no slice moves, as a frozen parameter, stays the same
        to the bit.
        """
        model = self._model
        buffers = model.vector[model.layout.num_parameters :]
        before = buffers.clone()
        weight = len(part.targets) / num_examples
        loss = self._compute(part)
        beside = torch.cat([buffers - before, loss.view(1).to(buffers.dtype)]).mul_(weight)
        model.gradient.mul_(weight)
        self._fabric.sum_(model.gradient)
        self._fabric.sum_(beside)
        torch.add(before, beside[:-1], out=buffers)
        return beside[-1]
