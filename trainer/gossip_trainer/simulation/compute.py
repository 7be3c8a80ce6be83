"""How long each worker computes for each of its steps."""

import functools
import itertools
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from gossip_api.simulation import ComputeSeconds, Simulation
from gossip_trainer.errors import RunError
from gossip_trainer.seeding import derive_seed


class StepSeconds:
    """Gives one worker's step times, one a call.

    Args:
        draw: draws the next.
        incarnation: whose stream they come from.
        drawn: how many to pass over.

    Attributes:
        drawn: how many of the stream were used.

    """

    def __init__(self, draw: Callable[[], float], incarnation: int, drawn: int) -> None:
        self._draw = draw
        self.incarnation = incarnation
        self.drawn = 0
        for _ in range(drawn):
            self()

    def __call__(self) -> float:
        """Draw the next."""
        self.drawn += 1
        return self._draw()


def step_seconds(
    simulation: Simulation, seed: int, rank: int, incarnation: int, drawn: int = 0
) -> StepSeconds:
    """Return one worker's step times, from a stream of its own of which `drawn` were used before.

    All distributions have the job's mean. A trace is walked through in order from a line that is
    drawn, and again from its first line after its last. A straggler's times are multiplied.

    Raises:
        RunError: the trace cannot be read.

    """
    return StepSeconds(_draw(simulation, seed, rank, incarnation), incarnation, drawn)


def _draw(simulation: Simulation, seed: int, rank: int, incarnation: int) -> Callable[[], float]:
    compute = simulation.compute_seconds
    slowdowns = {straggler.worker: straggler.slowdown for straggler in simulation.stragglers}
    slowdown = slowdowns.get(rank, 1.0)
    stream = random.Random(derive_seed(seed, "compute", rank, incarnation))  # noqa: S311 - must be reproducible
    if compute.trace is not None:
        times = _shared_trace(Path(compute.trace))
        lines = itertools.count(stream.randrange(len(times)))
        return lambda: slowdown * times[next(lines) % len(times)]
    assert compute.mean is not None, "validation wants one of mean and trace"
    return _distribution(compute, slowdown * compute.mean, stream)


def _distribution(
    compute: ComputeSeconds, mean: float, stream: random.Random
) -> Callable[[], float]:
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


def _shared_trace(path: Path) -> Sequence[float]:
    """Read a trace once for all workers, as long as the file stays as it is."""
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _cached_trace(path, changed)


@functools.lru_cache(maxsize=4)
def _cached_trace(path: Path, changed: int) -> Sequence[float]:
    del changed
    return read_trace(path)


def read_trace(path: Path) -> Sequence[float]:
    """Read step times in seconds, one a line, all above zero; `#` begins a comment.

    Raises:
        RunError: names the file, the line and what is wrong with it.

    """
    place = f"spec.simulation.computeSeconds.trace {path}"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise RunError(f"{place}: cannot be read: {reason}") from error
    times = [
        _seconds(content, f"{place}, line {number}")
        for number, line in enumerate(lines, start=1)
        if (content := line.partition("#")[0].strip())
    ]
    if not times:
        raise RunError(f"{place}: holds no step times; write one in seconds on every line")
    return times


def _seconds(text: str, place: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise RunError(f"{place}: got {text!r}; must be seconds above 0, for example 0.125")
    return seconds
