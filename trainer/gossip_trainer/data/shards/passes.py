"""One worker's samples, drawn from its shards for ever, data epoch after data epoch.

Where it is are two numbers and the epoch's share. To go on from there, the order of the epoch is
drawn again, from the shards' headers alone; only what has not been drawn yet is read.
"""

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from gossip_trainer.data.sampler import Share
from gossip_trainer.data.shards.order import shards_of, shuffled
from gossip_trainer.data.shards.tar import Sample, count_samples, read_shard
from gossip_trainer.data.stream import StreamPlan
from gossip_trainer.errors import DataError
from gossip_trainer.seeding import derive_seed


class ShardPasses:
    """Draws samples.

    Args:
        shards: those of all workers.
        plan: whose samples; its batch size does not matter.
        kinds: which members of a sample are read.
        buffer_size: samples among which a draw chooses.
        position: where to go on; what is drawn then equals what one draws that was never
            interrupted.

    Raises:
        DataError: there are too few shards, one cannot be read, or `position` lies outside them;
            a draw raises it too.

    """

    def __init__(
        self,
        shards: Sequence[Path],
        plan: StreamPlan,
        *,
        kinds: Collection[str],
        buffer_size: int,
        position: Mapping[str, Any] | None = None,
    ) -> None:
        self._shards = shards
        self._plan = plan
        self._kinds = kinds
        self._buffer_size = buffer_size
        start = position or {"epoch": 0, "offset": 0, "share": None}
        share = start["share"]
        self._begin_epoch(start["epoch"], start["offset"], share and Share(*share))

    def draw(self) -> tuple[int, Sample]:
        """Return the next sample and the data epoch that it is drawn in."""
        sample = next(self._left, None)
        if sample is None:
            self._begin_epoch(self._epoch + 1)
            sample = next(self._left, None)
        if sample is None:
            raise DataError(
                f"spec.training.data.args.train: share {self._share.index} of "
                f"{self._share.count} has no sample: its shards are empty, the first of them is "
                f"{shards_of(self._shards, self._share, self._plan.sharding)[0]}"
            )
        self._offset += 1
        return self._epoch, sample

    def position(self) -> dict[str, Any]:
        """Return where the next draw is, as plain JSON."""
        share = [self._share.index, self._share.count]
        return {"epoch": self._epoch, "offset": self._offset, "share": share}

    def _begin_epoch(self, epoch: int, offset: int = 0, share: Share | None = None) -> None:
        plan = self._plan
        due = plan.share if plan.share_of is None else plan.share_of(epoch)
        self._epoch, self._offset, self._share = epoch, offset, share or due
        shards = list(shards_of(self._shards, self._share, plan.sharding))
        self._drawer("shards").shuffle(shards)
        self._left = self._samples(shards, self._gone(shards))

    def _gone(self, shards: Sequence[Path]) -> frozenset[int]:
        """Return which samples, in the order they are read, the epoch's first draws took."""
        if not self._offset:
            return frozenset()
        count = sum(map(count_samples, shards))
        if self._offset > count:
            raise DataError(
                f"cannot resume at sample {self._offset} of data epoch {self._epoch}: the shards "
                f"have {count} samples; resume with the data and sharding of the start"
            )
        order = shuffled(range(count), self._buffer_size, self._drawer("buffer"))
        return frozenset(islice(order, self._offset))

    def _samples(self, shards: Sequence[Path], gone: Collection[int]) -> Iterator[Sample]:
        in_sequence = _read(shards, self._kinds, gone)
        for sample in shuffled(in_sequence, self._buffer_size, self._drawer("buffer")):
            if sample is not None:
                yield sample

    def _drawer(self, purpose: str) -> random.Random:
        plan = self._plan
        return random.Random(  # noqa: S311 - the order needs a reproducible stream
            derive_seed(plan.seed, purpose, plan.stream, self._epoch)
        )


def _read(
    shards: Sequence[Path], kinds: Collection[str], gone: Collection[int]
) -> Iterator[Sample | None]:
    """Yield the samples of one shard after the other, and None for those that are gone."""
    number = 0
    for shard in shards:
        for sample in read_shard(shard, kinds, _is_left(gone, before=number)):
            number += 1
            yield sample


def _is_left(gone: Collection[int], *, before: int) -> Callable[[int], bool]:
    return lambda place: before + place not in gone
