"""From cells and what they found to one standing per strategy, size and learning rate. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gossip_trainer.compare.estimate import Estimate, estimate
from gossip_trainer.compare.reaching import Reached, reaching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gossip_trainer.compare.plan import Cell
    from gossip_trainer.compare.records import Finding, Point


@dataclass(frozen=True, slots=True)
class Outcome:
    """A cell and what became of it.

    Attributes:
        cell: which.
        finding: None if it failed.
        reached: what the target took; None if it was not reached.
        error: why it failed, in one line.

    """

    cell: Cell
    finding: Finding | None
    reached: Reached | None = None
    error: str | None = None

    @property
    def final(self) -> Point | None:
        """The evaluation at the end."""
        return self.finding.points[-1] if self.finding else None

    @property
    def spent_seconds(self) -> float | None:
        """Seconds to the target, or to the end of a run that did not reach it."""
        if self.reached is not None:
            return self.reached.seconds
        return self.final.seconds if self.final else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a strategy did at one number of workers and one learning rate, over all seeds.

    Attributes:
        strategy: label of the contestant.
        workers: how many.
        learning_rate: of the optimizer.
        outcomes: by seed.
        seconds: to the target; None, as the next three, unless every seed reached it.
        samples: of all workers, to the target.
        steps: per worker, to the target.
        received_bytes: per worker, to the target.
        at_least_seconds: mean of the seconds to the target, and to its end for a run that did not
            reach it, so that the true mean is larger; None if a cell failed.
        accuracy: at the end of the runs, of those whose model is finite.
        consensus_distance: likewise.
        edge: `lowest` or `highest` if no rate beyond this one was tried though several were.

    """

    strategy: str
    workers: int
    learning_rate: float
    outcomes: tuple[Outcome, ...] = field(repr=False)
    seconds: Estimate | None
    samples: Estimate | None
    steps: Estimate | None
    received_bytes: Estimate | None
    at_least_seconds: float | None
    accuracy: Estimate | None
    consensus_distance: Estimate | None
    edge: str | None = None

    @property
    def num_reached(self) -> int:
        """How many seeds reached the target."""
        return sum(outcome.reached is not None for outcome in self.outcomes)

    @property
    def num_failed(self) -> int:
        """How many cells failed, of which nothing is known."""
        return sum(outcome.finding is None for outcome in self.outcomes)

    @property
    def times(self) -> tuple[float, ...]:
        """Seconds to the target of the seeds that reached it, by seed."""
        return tuple(each.reached.seconds for each in self.outcomes if each.reached)


def judge(cells: Sequence[Cell], found: Mapping[str, Finding | str]) -> list[Outcome]:
    """Join every cell with its finding, or the reason of its failure, by key."""
    return [_outcome(cell, found[cell.key]) for cell in cells]


def _outcome(cell: Cell, found: Finding | str) -> Outcome:
    if isinstance(found, str):
        return Outcome(cell, None, error=found)
    target = cell.job.spec.training.target
    assert target is not None, "a plan has a target"
    return Outcome(cell, found, reaching(found.points, target))


def standings(outcomes: Iterable[Outcome]) -> list[Standing]:
    """Sum up over seeds, in the order of the first cell of each."""
    groups: defaultdict[tuple[int, str, float], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        cell = outcome.cell
        groups[cell.workers, cell.strategy, cell.learning_rate].append(outcome)
    rates: defaultdict[tuple[int, str], set[float]] = defaultdict(set)
    for workers, strategy, rate in groups:
        rates[workers, strategy].add(rate)
    return [
        _standing(group, rates[workers, strategy])
        for (workers, strategy, _), group in groups.items()
    ]


def best_rates(every: Iterable[Standing]) -> list[Standing]:
    """Keep each strategy's best learning rate at each size.

    That is the one with which most seeds reach the target; of equals the one that takes the least
    time on average; of equals the smallest.
    """
    groups: defaultdict[tuple[int, str], list[Standing]] = defaultdict(list)
    for standing in every:
        groups[standing.workers, standing.strategy].append(standing)
    return [min(group, key=_rank) for group in groups.values()]


def _rank(standing: Standing) -> tuple[float, ...]:
    times = standing.times
    mean = sum(times) / len(times) if times else 0.0
    return (-standing.num_reached, mean, standing.learning_rate)


def _standing(group: Sequence[Outcome], rates: set[float]) -> Standing:
    cell = group[0].cell
    reached = [outcome.reached for outcome in group if outcome.reached]
    ends = [outcome.final for outcome in group if outcome.final]
    spent = [s for outcome in group if (s := outcome.spent_seconds) is not None]

    def to_target(of: Callable[[Reached], float]) -> Estimate | None:
        return estimate([of(each) for each in reached]) if len(reached) == len(group) else None

    return Standing(
        strategy=cell.strategy,
        workers=cell.workers,
        learning_rate=cell.learning_rate,
        outcomes=tuple(group),
        seconds=to_target(lambda each: each.seconds),
        samples=to_target(lambda each: each.samples),
        steps=to_target(lambda each: each.steps),
        received_bytes=to_target(lambda each: each.received_bytes),
        at_least_seconds=sum(spent) / len(spent) if len(spent) == len(group) else None,
        accuracy=_of_known([end.accuracy for end in ends]),
        consensus_distance=_of_known([end.consensus_distance for end in ends]),
        edge=_edge(cell.learning_rate, rates),
    )


def _of_known(values: Sequence[float | None]) -> Estimate | None:
    known = [value for value in values if value is not None]
    return estimate(known) if known else None


def _edge(rate: float, rates: set[float]) -> str | None:
    if len(rates) == 1:
        return None
    return {min(rates): "lowest", max(rates): "highest"}.get(rate)
