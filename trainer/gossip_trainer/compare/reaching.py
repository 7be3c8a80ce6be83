"""When a time series reaches a target. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gossip_api.training import Target
    from gossip_trainer.compare.records import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What it took to reach a target.

    Attributes:
        seconds: since training began.
        samples: of all workers.
        steps: per worker.
        received_bytes: per worker.
        gap_seconds: between the evaluations before and after, within which it happened.

    """

    seconds: float
    samples: float
    steps: float
    received_bytes: float
    gap_seconds: float


def reaching(points: Sequence[Point], target: Target) -> Reached | None:
    """Interpolate linearly between the first evaluation that meets the target and the one before.

    Where the one before is not finite or there is none, it is the evaluation itself. None if no
    evaluation meets the target.
    """
    margins = [_margin(point, target) for point in points]
    for place, margin in enumerate(margins):
        if margin is None or margin < 0:
            continue
        before = margins[place - 1] if place else None
        if before is None:
            return _between(points[place], points[place], 1.0)
        return _between(points[place - 1], points[place], before / (before - margin))
    return None


def _margin(point: Point, target: Target) -> float | None:
    """Return by how much a point is beyond the target; negative before it."""
    value = point.accuracy if target.metric == "accuracy" else point.loss
    if value is None:
        return None
    return value - target.value if target.metric == "accuracy" else target.value - value


def _between(before: Point, after: Point, part: float) -> Reached:
    def at(one: float, other: float) -> float:
        return one + part * (other - one)

    return Reached(
        seconds=at(before.seconds, after.seconds),
        samples=at(before.samples, after.samples),
        steps=at(before.steps, after.steps),
        received_bytes=at(before.received_bytes, after.received_bytes),
        gap_seconds=after.seconds - before.seconds,
    )
