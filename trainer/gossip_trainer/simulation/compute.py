"""How long each worker computes for each of its steps."""

import math
import random
from collections.abc import Callable

from gossip_api.simulation import Simulation
from gossip_trainer.seeding import derive_seed

StepSeconds = Callable[[], float]


def step_seconds(simulation: Simulation, seed: int, rank: int, incarnation: int) -> StepSeconds:
    """Return a function that draws one worker's next step time from a stream of its own.

    All distributions have the job's mean, times the slowdown of a straggler.
    """
    compute = simulation.compute_seconds
    slowdowns = {straggler.worker: straggler.slowdown for straggler in simulation.stragglers}
    mean = compute.mean * slowdowns.get(rank, 1.0)
    stream = random.Random(derive_seed(seed, "compute", rank, incarnation))  # noqa: S311 - must be reproducible
    sigma = compute.jitter
    match compute.distribution or ("Lognormal" if sigma else "Constant"):
        case "Constant":
            return lambda: mean
        case "Lognormal":
            # A lognormal's mean is exp(mu + sigma^2 / 2).
            mu = math.log(mean) - sigma**2 / 2
            return lambda: stream.lognormvariate(mu, sigma)
        case "Exponential":
            return lambda: stream.expovariate(1.0 / mean)
