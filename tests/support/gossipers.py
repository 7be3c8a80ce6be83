"""Workers that gossip, and what their exchanges do to how far apart they are.

Notation of all laws: n workers, x_i their points, xbar the mean, S = sum_i |x_i - xbar|^2.
"""

from collections.abc import Callable
from random import Random

import torch
from in_memory import World
from torch import Tensor

from gossip_api.topology import Topology
from gossip_trainer.algorithms.base import Algorithm, RandomStream
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.seeding import derive_seed


def gossipers(
    kind: type,
    n: int,
    *,
    topology: str = "Complete",
    selection: str = "Uniform",
    seed: int = 1,
    stream: Callable[[int], RandomStream] = Random,
    **settings: object,
) -> list[Algorithm]:
    """Return `n` workers' algorithms with the streams of a job with this seed."""
    view = make_view(1, dict.fromkeys(range(n), 0))
    choice = PeerSelection(Topology(type=topology), selection, seed)
    streams = [stream(derive_seed(seed, "peers", rank, 0)) for rank in range(n)]
    return [kind(rank, view, choice, stream, **settings) for rank, stream in enumerate(streams)]


def spread(points: Tensor) -> float:
    """S, summed over coordinates."""
    return float((points - points.mean(dim=0)).square().sum())


def random_points(n: int, size: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, size, generator=generator, dtype=torch.float64)


def shrinking(world: World, play, *, times: int, seed: int = 1) -> tuple[list[float], list[float]]:
    """What `play(world)` does to independent random points: S'/S and n^2 |xbar' - xbar|^2 / S.

    The world's points are overwritten each time; nothing may be left under way.
    """
    generator = torch.Generator().manual_seed(seed)
    points, n = world.points, len(world.points)
    spreads, drifts = [], []
    for _ in range(times):
        points.normal_(generator=generator)
        start, mean = spread(points), points.mean(dim=0)
        play(world)
        spreads.append(spread(points) / start)
        drifts.append(float((points.mean(dim=0) - mean).square().sum()) * n**2 / start)
    return spreads, drifts


def settled(world: World, play, *, rounds: int, rate: float, seed: int = 1):
    """Train on x^2 / 2 with gradient noise of variance 1 until it has settled.

    Returns S and xbar^2 per coordinate after every round, as two arrays. `play(world, gradient)`
    plays a round with the learning rate the world has.
    """
    generator = torch.Generator().manual_seed(seed)
    size = world.points.shape[1]

    def noisy(x: Tensor) -> Tensor:
        return x + torch.randn(x.shape, generator=generator, dtype=x.dtype)

    spreads, squares = [], []
    num_transient = round(10 / rate)
    for round_ in range(num_transient + rounds):
        play(world, noisy)
        if round_ >= num_transient:  # the slowest mode has decayed by exp(-20)
            spreads.append(spread(world.points) / size)
            squares.append(float(world.points.mean(dim=0).square().mean()))
    return spreads, squares
