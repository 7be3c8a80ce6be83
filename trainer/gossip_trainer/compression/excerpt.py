"""What of a published snapshot is read: a range of it, perhaps rounded.

The reader says what it wants and with which noise, so that the peer, the peer's shared memory, the
simulator and a replay all give it the same bytes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gossip_api.compression import Compression
from gossip_trainer.compression.bfloat16 import (
    NUM_BYTES,
    from_bfloat16,
    round_values,
    to_bfloat16,
)
from gossip_trainer.seeding import derive_seed


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a snapshot.

    Attributes:
        start: its first value.
        stop: one behind its last.
        seed: of the noise with which it is rounded to bfloat16; None leaves it as it is.

    """

    start: int
    stop: int
    seed: int | None = None

    def of(self, vector: Tensor) -> Tensor:
        """Return it of a snapshot; ValueError if it does not lie in there."""
        self._check(vector.numel())
        return self.rounded(vector[self.start : self.stop])

    def rounded(self, part: Tensor) -> Tensor:
        """Return it, given its values as they are in the snapshot."""
        return part if self.seed is None else to_bfloat16(part, self.seed)

    def of_bytes(self, memory: memoryview, itemsize: int) -> memoryview:
        """Return its bytes of those of a snapshot of float32 or float64, by their itemsize."""
        self._check(memory.nbytes // itemsize)
        part = memory[self.start * itemsize : self.stop * itemsize]
        if self.seed is None:
            return part
        return round_values(np.frombuffer(part, f"f{itemsize}"), self.seed).data

    def room(self, buffer: Tensor) -> Tensor:
        """Return the part of a buffer of a snapshot's size that takes its bytes."""
        size = self.stop - self.start
        if self.seed is None:
            return buffer[:size]
        return buffer.view(torch.uint8)[: size * NUM_BYTES]

    def values(self, read: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the values of what was read, shape (stop - start,)."""
        return read if self.seed is None else from_bfloat16(read, dtype)

    def _check(self, size: int) -> None:
        if not 0 <= self.start < self.stop <= size:
            raise ValueError(
                f"values {self.start} to {self.stop} of a snapshot of {size} were asked for; they "
                "must lie in there, at least one of them"
            )


class Reading:
    """What one worker reads of the snapshots it fetches.

    Args:
        compression: of the job; None reads all.
        seed: the worker's own.

    """

    def __init__(self, compression: Compression | None, seed: int) -> None:
        self._compression = compression
        self._seed = seed

    def excerpt(self, size: int, round_: int) -> Excerpt | None:
        """Return what to read in a round, of a snapshot of `size` values; None for all of it."""
        if self._compression is None:
            return None
        draw = derive_seed(self._seed, round_)
        if self._compression.type == "BFloat16":
            return Excerpt(0, size, draw)
        num = min(self._compression.fragments, size)
        place = draw % num
        return Excerpt(size * place // num, size * (place + 1) // num)
