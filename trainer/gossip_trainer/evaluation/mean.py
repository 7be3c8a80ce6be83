"""The mean of many vectors and their spread around it, in constant memory.

Welford's update in double precision: the squared distance of all vectors from their mean is summed
up from differences, never as a difference of large sums, so vectors that are equal have a spread of
exactly zero and nearly equal ones lose no digits.

Reference: Welford, "Note on a method for calculating corrected sums of squares and products", 1962.
"""

import math

import torch
from torch import Tensor

BLOCK = 1 << 16  # elements; the double-precision scratch of one block stays in the cache


class RunningMean:
    """Takes one vector at a time; holds one double-precision vector and two blocks.

    Attributes:
        count: vectors taken so far.

    """

    def __init__(self, size: int) -> None:
        self._mean = torch.zeros(size, dtype=torch.float64)
        self._squares = 0.0
        self._weight = 0.0
        self.count = 0

    def clear(self) -> None:
        """Forget all vectors."""
        self._mean.zero_()
        self._squares = 0.0
        self._weight = 0.0
        self.count = 0

    def add(self, vector: Tensor, weight: float = 1.0) -> None:
        """Take in a vector of shape (size,), which counts `weight` times."""
        self.count += 1
        self._weight += weight
        for start in range(0, vector.numel(), BLOCK):
            mean = self._mean[start : start + BLOCK]
            value = vector[start : start + BLOCK].double()
            before = value - mean
            mean.add_(before, alpha=weight / self._weight)
            self._squares += weight * torch.dot(before, value - mean).item()

    def write_to_(self, out: Tensor) -> None:
        """Write the mean into `out`, shape (size,), in its precision."""
        out.copy_(self._mean)

    @property
    def norm(self) -> float:
        """Euclidean norm of the mean."""
        return float(torch.linalg.vector_norm(self._mean))

    @property
    def consensus_distance(self) -> float:
        """Square root of the mean squared distance of the vectors from their mean."""
        return math.sqrt(self._squares / self._weight) if self.count else 0.0
