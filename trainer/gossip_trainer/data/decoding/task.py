"""What is decoded, into what. Imports no torch: processes that decode start in no time."""

from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, TypeVar

import numpy as np

TaskT_contra = TypeVar("TaskT_contra", contravariant=True)
Array = np.ndarray[Any, np.dtype[Any]]


class Decoder(Protocol[TaskT_contra]):
    """Makes a batch; it and its tasks can be pickled, and it keeps nothing between tasks."""

    def __call__(self, task: TaskT_contra, inputs: Array, /) -> Array:
        """Write the inputs into the first rows of `inputs`; return the targets, one per row."""
        ...


@dataclass(frozen=True, slots=True)
class RawShape:
    """The inputs of a batch as they are decoded, before they are normalised.

    Attributes:
        batch_size: at most so many examples.
        shape: of one input.
        dtype: numpy's name of it.

    """

    batch_size: int
    shape: tuple[int, ...]
    dtype: str = "uint8"

    @property
    def num_bytes(self) -> int:
        """The memory that a batch takes."""
        return self.batch_size * prod(self.shape) * np.dtype(self.dtype).itemsize

    def batch_in(self, memory: Any, place: int) -> Array:
        """Return the batch that lies in `memory` after `place` others."""
        return np.ndarray(
            (self.batch_size, *self.shape), self.dtype, memory, offset=place * self.num_bytes
        )
