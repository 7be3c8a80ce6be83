"""Which examples a worker draws, in what order: an endless, seeded, resumable stream of batches.

A worker's shard is a set of examples, fixed for a data epoch. It is walked through in a new random
order every data epoch; a batch that meets the end of one order goes on in the next, so that batches
are always full. Two numbers and the epoch's share say where the stream is, and all else follows
from the seed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

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
    """Where a stream is: `offset` examples of data epoch `epoch` have been drawn.

    `share` is the part that this epoch walks through; None for the one that is due.
    """

    epoch: int = 0
    offset: int = 0
    share: Share | None = None


class Piece(NamedTuple):
    """Examples that follow one another in one data epoch: `indices` is int64, one dimension."""

    epoch: int
    indices: Tensor


class ShardSampler(Iterator[Tensor]):
    """Yields int64 indices of shape (batch_size,), for ever.

    Args:
        targets: the class of every training example, shape (num_examples,).
        batch_size: examples in a batch; may exceed the shard.
        share: which part of the data is this worker's; or a function that says which it is in a
            data epoch, and is asked when that epoch begins.
        sharding: `Partition`: a seeded random part, disjoint from the others. `Shared`: all
            examples, in an order of the worker's own. `ByLabel`: a contiguous part of the examples
            sorted by class, so that a worker sees about num_classes / count classes.
        seed: the job's seed.
        stream: whose order it is: two that share a part walk through it differently; the share's
            own by default.
        state: where to go on; the stream then equals one that was never interrupted. The epoch
            that it is in ends with the share it began with.

    Raises:
        DataError: the shard would be empty, also later when `share` changes; or `state` lies
            outside it.

    """

    def __init__(
        self,
        targets: Tensor,
        batch_size: int,
        *,
        share: Share | Callable[[int], Share],
        sharding: Sharding,
        seed: int,
        stream: int | None = None,
        state: SamplerState | None = None,
    ) -> None:
        self._targets = targets
        self._batch_size = batch_size
        self._share_of = share if callable(share) else lambda _epoch: share
        self._sharding = sharding
        self._seed = seed
        self._stream = stream
        start = state or SamplerState()
        self.shard: Tensor
        self._begin_epoch(start.epoch, start.share)
        if start.epoch < 0 or not 0 <= start.offset < len(self.shard):
            raise DataError(
                f"cannot resume at epoch {start.epoch}, offset {start.offset}: the shard has "
                f"{len(self.shard)} examples; resume with the data and sharding of the start"
            )
        self._offset = start.offset

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Tensor:
        pieces = self.draw()
        return (
            pieces[0].indices if len(pieces) == 1 else torch.cat([each.indices for each in pieces])
        )

    def draw(self) -> list[Piece]:
        """Return the next batch: one piece, or several where epochs end within it."""
        pieces = []
        missing = self._batch_size
        while missing:
            if self._offset == len(self._order):
                self._begin_epoch(self._epoch + 1)
            taken = self._order[self._offset : self._offset + missing]
            self._offset += len(taken)
            missing -= len(taken)
            pieces.append(Piece(self._epoch, taken))
        return pieces

    def state(self) -> SamplerState:
        """Return the position after the batches drawn so far."""
        if self._offset == len(self._order):
            return SamplerState(self._epoch + 1, 0)
        return SamplerState(self._epoch, self._offset, self._share)

    def _begin_epoch(self, epoch: int, share: Share | None = None) -> None:
        self._epoch, self._offset = epoch, 0
        self._share = share or self._share_of(epoch)
        self.shard = self._shard_of(self._share)
        stream = self._share.index if self._stream is None else self._stream
        self._order = draw_order(self.shard, self._seed, stream, epoch)

    def _shard_of(self, share: Share) -> Tensor:
        shard = shard_indices(self._targets, share, self._sharding, self._seed)
        if not len(shard):
            raise DataError(
                f"share {share.index} of {share.count} is empty: there are only "
                f"{len(self._targets)} training examples; use fewer workers or sharding: Shared"
            )
        return shard


def draw_order(shard: Tensor, seed: int, stream: int, epoch: int) -> Tensor:
    """Return a shard's examples in the order of a data epoch."""
    generator = derive_generator(seed, "order", stream, epoch)
    return shard[torch.randperm(len(shard), generator=generator)]


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
