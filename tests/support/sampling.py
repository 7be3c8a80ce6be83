"""Whether a sample agrees with a law: the tolerance is the sample's own standard error.

A law is accepted within `SIGMAS` standard errors, which one correct run in 150,000 would miss, and
a rival law is only rejected beyond twice as many, so that no sample can be too small unnoticed.
"""

from collections.abc import Sequence

import numpy as np

SIGMAS = 4.5


class Sample:
    """Independent values, or batch means of a long run, whose mean is compared with a law's."""

    def __init__(self, values: Sequence[float], *, batches: int | None = None) -> None:
        array = np.asarray(values, dtype=float)
        if batches is not None:
            array = array[: len(array) // batches * batches].reshape(batches, -1).mean(axis=1)
        self.mean = float(array.mean())
        self.error = float(array.std(ddof=1)) / len(array) ** 0.5

    def agrees_with(self, law: float) -> bool:
        return abs(self.mean - law) < SIGMAS * self.error

    def rejects(self, rival: float) -> bool:
        return abs(self.mean - rival) > 2 * SIGMAS * self.error

    def __repr__(self) -> str:
        return f"{self.mean:.6g} +- {self.error:.2g}"
