"""A whole comparison: what was found, and what follows from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossip_trainer.compare.summary import best_rates, judge, standings
from gossip_trainer.compare.verdict import crossovers, verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gossip_api.training import Target
    from gossip_trainer.compare.plan import Cell, Mode
    from gossip_trainer.compare.records import Finding
    from gossip_trainer.compare.summary import Outcome, Standing
    from gossip_trainer.compare.verdict import Crossover, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A comparison that is over.

    Attributes:
        job: its name.
        target: what all had to reach.
        mode: virtual or real.
        outcomes: of every cell.
        every: standing, all learning rates.
        best: those at the best learning rate.
        verdicts: by number of workers.
        crossovers: by number of workers.

    """

    job: str
    target: Target
    mode: Mode
    outcomes: tuple[Outcome, ...]
    every: tuple[Standing, ...]
    best: tuple[Standing, ...]
    verdicts: tuple[Verdict, ...]
    crossovers: tuple[Crossover, ...]

    @property
    def is_reached(self) -> bool:
        """Whether any run reached the target."""
        return any(outcome.reached is not None for outcome in self.outcomes)


def make_report(cells: Sequence[Cell], found: Mapping[str, Finding | str]) -> Report:
    """Judge what the cells found; `found` holds a finding or an error for each of their keys."""
    first = cells[0]
    target = first.job.spec.training.target
    assert target is not None, "a plan has a target"
    outcomes = judge(cells, found)
    every = standings(outcomes)
    best = best_rates(every)
    judged = verdicts(best)
    return Report(
        job=first.job.metadata.name,
        target=target,
        mode=first.mode,
        outcomes=tuple(outcomes),
        every=tuple(every),
        best=tuple(best),
        verdicts=tuple(judged),
        crossovers=tuple(crossovers(judged)),
    )
