"""How the job's model wanders in the second half of a run, where training has come to rest.

On a quadratic with gradient noise the variance of the mean iterate and the consensus distance at
stationarity have closed forms for every strategy, so that anyone can check a law from the command
line. On any other model they tell how much noise the learning rate leaves.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from gossip_trainer.evaluation.mean import RunningMean

BEGINS = 0.5  # of the budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Stationary:
    """The evaluations of the second half of the budget, taken together.

    Attributes:
        evaluations: how many there are; none if the job ended before.
        mean_variance: of the evaluated model around its mean over time, mean over coordinates.
        consensus_distance: root mean square over time.
        squared_distance_per_coordinate: mean square of the consensus distance over the number of
            coordinates, as the laws have it.

    """

    evaluations: int
    mean_variance: float | None
    consensus_distance: float | None
    squared_distance_per_coordinate: float | None


class Stationarity:
    """Collects them.

    Args:
        size: of the vector.
        num_coordinates: how many of its elements are a model's, and no gap between two tensors.

    """

    def __init__(self, size: int, num_coordinates: int) -> None:
        self._models = RunningMean(size)
        self._num_coordinates = num_coordinates
        self._squares = 0.0

    def note(self, fraction: float, model: Tensor, consensus_distance: float) -> None:
        """Take in an evaluation at `fraction` of the budget."""
        if fraction >= BEGINS:
            self._models.add(model)
            self._squares += consensus_distance**2

    def result(self) -> Stationary:
        """Return what was found; None for what is not finite or was not seen."""
        count = self._models.count
        square = self._squares / count if count else math.nan
        return Stationary(
            evaluations=count,
            mean_variance=_finite(self._models.consensus_distance**2 / self._num_coordinates)
            if count
            else None,
            consensus_distance=_finite(math.sqrt(square)) if count else None,
            squared_distance_per_coordinate=_finite(square / self._num_coordinates),
        )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
