"""Which examples a worker draws, in what order: an endless, seeded, resumable stream of batches.

A worker's shard is a fixed set of examples. It is walked through in a new random order every data
epoch; a batch that meets the end of one order goes on in the next, so that batches are always full.
Two numbers say where the stream is, and all else follows from the seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from gossip_trainer.errors import DataError
from gossip_trainer.seeding import derive_generator

Sharding = Literal["Partition", "Shared", "ByLabel"]


@dataclass(frozen=True, slots=True)
class Share:
    """One worker's part of the data: the `index`-th of `count`."""

    index: int
    count: int

    def __post_init__(self) -> None:
        """Refuse a part that does not exist."""
        if not 0 <= self.index < self.count:
            raise DataError(
                f"share {self.index} of {self.count} does not exist; "
                "the index must be at least 0 and below the count"
            )


@dataclass(frozen=True, slots=True)
class SamplerState:
    """Where a stream is: `offset` examples of data epoch `epoch` have been drawn."""

    epoch: int = 0
    offset: int = 0


class ShardSampler(Iterator[Tensor]):
    """Yields int64 indices of shape (batch_size,), for ever.

    Args:
        targets: the class of every training example, shape (num_examples,).
        batch_size: examples in a batch; may exceed the shard.
        share: which part of the data is this worker's.
        sharding: `Partition`: a seeded random part, disjoint from the others. `Shared`: all
            examples, in an order of the worker's own. `ByLabel`: a contiguous part of the examples
            sorted by class, so that a worker sees about num_classes / count classes.
        seed: the job's seed.
        stream: whose order it is: two that share a part walk through it differently; the share's
            own by default.
        state: where to go on; the stream then equals one that was never interrupted.

    Raises:
        DataError: the shard would be empty, or `state` lies outside it.

    """

    def __init__(
        self,
        targets: Tensor,
        batch_size: int,
        *,
        share: Share,
        sharding: Sharding,
        seed: int,
        stream: int | None = None,
        state: SamplerState | None = None,
    ) -> None:
        self.shard = shard_indices(targets, share, sharding, seed)
        self._batch_size = batch_size
        self._stream = share.index if stream is None else stream
        self._seed = seed
        if not len(self.shard):
            raise DataError(
                f"share {share.index} of {share.count} is empty: there are only {len(targets)} "
                "training examples; use fewer workers or sharding: Shared"
            )
        start = state or SamplerState()
        if start.epoch < 0 or not 0 <= start.offset < len(self.shard):
            raise DataError(
                f"cannot resume at epoch {start.epoch}, offset {start.offset}: the shard has "
                f"{len(self.shard)} examples; resume with the workers and sharding of the start"
            )
        self._epoch = start.epoch
        self._offset = start.offset
        self._order = self._draw_order()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Tensor:
        batch = self._take(self._batch_size)
        if len(batch) == self._batch_size:
            return batch
        pieces = [batch]
        missing = self._batch_size - len(batch)
        while missing:
            self._epoch, self._offset = self._epoch + 1, 0
            self._order = self._draw_order()
            pieces.append(self._take(missing))
            missing -= len(pieces[-1])
        return torch.cat(pieces)

    def state(self) -> SamplerState:
        """Return the position after the batches drawn so far."""
        if self._offset == len(self._order):
            return SamplerState(self._epoch + 1, 0)
        return SamplerState(self._epoch, self._offset)

    def _take(self, count: int) -> Tensor:
        """Return the next `count` indices of this epoch's order, or what is left of it."""
        taken = self._order[self._offset : self._offset + count]
        self._offset += len(taken)
        return taken

    def _draw_order(self) -> Tensor:
        generator = derive_generator(self._seed, "order", self._stream, self._epoch)
        return self.shard[torch.randperm(len(self.shard), generator=generator)]


def shard_indices(targets: Tensor, share: Share, sharding: Sharding, seed: int) -> Tensor:
    """Return the indices that `share` stands for, int64."""
    num_examples = len(targets)
    match sharding:
        case "Partition":
            order = torch.randperm(num_examples, generator=derive_generator(seed, "partition"))
            return order[share.index :: share.count]
        case "Shared":
            return torch.arange(num_examples)
        case "ByLabel":
            begin = num_examples * share.index // share.count
            end = num_examples * (share.index + 1) // share.count
            return torch.argsort(targets, stable=True)[begin:end]
