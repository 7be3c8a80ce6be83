"""Which strategy to take at which size, by how much, and where that changes. Pure.

Seeds are shared: with one seed all strategies begin with the same model and see the examples in the
same order. So times are compared pair by pair (paired t). The first is compared with each of its k
rivals at the confidence 1 - (1 - 0.95) / k (Bonferroni), so that all intervals of one size hold
together with 95 %, and a strategy is called faster than the one that truly is the fastest in 2.5 %
of the cases at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossip_trainer.compare.estimate import CONFIDENCE, Estimate, paired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gossip_trainer.compare.summary import Standing


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a rival is behind the first.

    Attributes:
        rival: its standing.
        later: by how many seconds it reaches the target later, on average, with the interval that
            holds for all rivals together; None unless all of its seeds reached it.
        ratio: of the mean times; None likewise, or if the first takes no time.

    """

    rival: Standing
    later: Estimate | None = None
    ratio: float | None = None

    @property
    def is_certain(self) -> bool:
        """Whether the difference is more than noise."""
        return self.later is not None and self.later.excludes_zero is True


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement at one number of workers.

    Attributes:
        workers: how many.
        first: the strategy that reaches the target soonest on average, of those that reach it with
            every seed; None if none does.
        gaps: of the others, nearest first, those that do not always reach it last.
        standings: all.

    """

    workers: int
    first: Standing | None
    gaps: tuple[Gap, ...]
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Crossover:
    """The lead passes from one strategy to another as the number of workers grows.

    Attributes:
        before: the strategy that is first at the smaller number.
        after: the strategy that is first at the larger number.
        below: the smaller number: the largest at which `before` is ahead of `after` by more than
            noise, or merely first where `is_certain` is false.
        above: the larger number, likewise of `after`.
        at: number of workers at which the two are equal, interpolated linearly in the logarithms
            of times and workers between the sizes where the first changes; None unless both reach
            the target there with every seed.
        is_certain: whether each lead is more than noise.

    """

    before: str
    after: str
    below: int
    above: int
    at: float | None
    is_certain: bool


def verdicts(best: Sequence[Standing]) -> list[Verdict]:
    """Judge every size, smallest first; `best` holds one standing per strategy and size."""
    sizes = sorted({standing.workers for standing in best})
    return [_verdict(size, [each for each in best if each.workers == size]) for size in sizes]


def crossovers(judged: Sequence[Verdict]) -> list[Crossover]:
    """List where the first changes, smallest first; sizes without a first are passed over."""
    decided = [verdict for verdict in judged if verdict.first is not None]
    found: list[Crossover] = []
    for place in range(1, len(decided)):
        crossover = _crossover(decided[:place], decided[place:])
        told = {(each.before, each.after, each.below, each.above) for each in found}
        # Between the same certain leads the first may change to and fro by noise.
        if (
            crossover
            and (crossover.before, crossover.after, crossover.below, crossover.above) not in told
        ):
            found.append(crossover)
    return found


def _verdict(workers: int, here: Sequence[Standing]) -> Verdict:
    complete = sorted(
        ((each.seconds.mean, place) for place, each in enumerate(here) if each.seconds)
    )
    rest = sorted(
        (each for each in here if each.seconds is None), key=lambda each: -each.num_reached
    )
    if not complete:
        return Verdict(workers, None, (), tuple(rest))
    ranked = [here[place] for _, place in complete]
    first = ranked[0]
    gaps = [_gap(first, rival, len(ranked) - 1) for rival in ranked[1:]]
    return Verdict(workers, first, (*gaps, *map(Gap, rest)), (*ranked, *rest))


def _gap(first: Standing, rival: Standing, num_rivals: int) -> Gap:
    """Compare two that reach the target with every seed."""
    assert first.seconds is not None
    assert rival.seconds is not None
    confidence = 1 - (1 - CONFIDENCE) / num_rivals
    ratio = rival.seconds.mean / first.seconds.mean if first.seconds.mean > 0 else None
    return Gap(rival, paired(first.times, rival.times, confidence), ratio)


def _crossover(smaller: Sequence[Verdict], larger: Sequence[Verdict]) -> Crossover | None:
    """Return how the first changes from the last of `smaller` to the first of `larger`."""
    low, high = smaller[-1], larger[0]
    assert low.first is not None
    assert high.first is not None
    before, after = low.first.strategy, high.first.strategy
    if before == after:
        return None
    below = [each.workers for each in smaller if _is_ahead(each, before, after)]
    above = [each.workers for each in larger if _is_ahead(each, after, before)]
    is_certain = bool(below and above)
    return Crossover(
        before,
        after,
        below[-1] if is_certain else low.workers,
        above[0] if is_certain else high.workers,
        _equal_at(
            low.workers, high.workers, _ratio(low, before, after), _ratio(high, after, before)
        ),
        is_certain,
    )


def _is_ahead(verdict: Verdict, ours: str, theirs: str) -> bool:
    """Tell whether one strategy is ahead of another by more than noise."""
    gap = _compared(verdict, ours, theirs)
    return gap is not None and gap.is_certain and gap.later is not None and gap.later.mean > 0


def _ratio(verdict: Verdict, ours: str, theirs: str) -> float | None:
    gap = _compared(verdict, ours, theirs)
    return None if gap is None else gap.ratio


def _compared(verdict: Verdict, ours: str, theirs: str) -> Gap | None:
    complete = {each.strategy: each for each in verdict.standings if each.seconds is not None}
    if not {ours, theirs} <= complete.keys():
        return None
    return _gap(complete[ours], complete[theirs], len(complete) - 1)


def _equal_at(
    smaller: int, larger: int, behind: float | None, overtaken: float | None
) -> float | None:
    """Interpolate where two power laws are equal, of which one is ahead by each ratio."""
    if behind is None or overtaken is None or behind * overtaken == 1.0:
        return None
    part = math.log(behind) / math.log(behind * overtaken)
    return math.exp(math.log(smaller) + part * math.log(larger / smaller))
