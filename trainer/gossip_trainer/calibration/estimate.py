"""From what was timed to what the simulator takes, and how sure that is. Pure.

A pull between two members of which neither does anything else takes 2 latency + M / B in the
simulator, and a request that is answered by a header alone 2 latency.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gossip_trainer.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gossip_trainer.calibration.transfer import Transfers

NUM_BATCHES = 10
T_95 = 2.262  # of Student's t with NUM_BATCHES - 1 degrees of freedom, two-sided
Z_95 = 1.960


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and where it lies with 95 % confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Computing:
    """What a step takes.

    Attributes:
        steps: how many were timed.
        mean: seconds.
        jitter: standard deviation of the logarithm, as of a lognormal time.

    """

    steps: int
    mean: Estimate
    jitter: Estimate


@dataclass(frozen=True, slots=True)
class LinkEstimate:
    """What a link carries.

    Attributes:
        pulls: how many were timed.
        num_bytes: of each.
        bandwidth: bytes per second.
        latency: seconds.

    """

    pulls: int
    num_bytes: int
    bandwidth: Estimate
    latency: Estimate


def estimate_computing(laps: NDArray[np.float64]) -> Computing:
    """Estimate from the seconds of successive steps, shape (steps,), at least two per batch.

    Steps in succession are alike on a busy machine, so the mean's error is that of batch means
    (Law and Kelton, "Simulation modeling and analysis"), not of single steps.

    Raises:
        RunError: there are too few steps.

    """
    if len(laps) < 2 * NUM_BATCHES:
        raise RunError(f"{len(laps)} steps are too few to tell how they spread; time more")
    mean = float(laps.mean())
    batches = np.array([batch.mean() for batch in np.array_split(laps, NUM_BATCHES)])
    error = T_95 * float(batches.std(ddof=1)) / math.sqrt(NUM_BATCHES)
    sigma = float(np.log(laps).std(ddof=1))
    spread = Z_95 * sigma / math.sqrt(2 * (len(laps) - 1))
    return Computing(
        steps=len(laps),
        mean=Estimate(mean, mean - error, mean + error),
        jitter=Estimate(sigma, max(0.0, sigma - spread), sigma + spread),
    )


def estimate_link(transfers: Transfers) -> LinkEstimate:
    """Estimate from the medians, which a machine that was busy for a moment does not move.

    Raises:
        RunError: a pull took no longer than a request, so it tells nothing of the bandwidth.

    """
    pull, ask = median(transfers.pulls), median(transfers.asks)
    size = transfers.num_bytes
    if pull.value <= ask.value:
        raise RunError(
            f"{size} bytes travel as fast as none, so they tell nothing of the bandwidth; "
            "calibrate with a larger model"
        )
    return LinkEstimate(
        pulls=len(transfers.pulls),
        num_bytes=size,
        bandwidth=Estimate(
            size / (pull.value - ask.value),
            size / (pull.high - ask.low),
            size / (pull.low - ask.high) if pull.low > ask.high else math.inf,
        ),
        latency=Estimate(ask.value / 2, ask.low / 2, ask.high / 2),
    )


def median(values: Sequence[float]) -> Estimate:
    """Return the median and the order statistics around it: no distribution is assumed."""
    ordered, n = sorted(values), len(values)
    reach = Z_95 * math.sqrt(n) / 2
    low = max(0, math.floor(n / 2 - reach))
    high = min(n - 1, math.ceil(n / 2 + reach))
    return Estimate(float(np.median(ordered)), ordered[low], ordered[high])
