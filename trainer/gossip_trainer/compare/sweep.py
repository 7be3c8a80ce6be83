"""Has the cells of a comparison carried out, biggest first, and keeps what each found at once.

Who carries them out is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gossip_trainer.compare.pool import Done, Failed, Going

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gossip_trainer.compare.plan import Cell
    from gossip_trainer.compare.records import Finding


class CarryOut(Protocol):
    """Carries out cells and tells of each as it ends."""

    def __call__(
        self, cells: Sequence[Cell], watch: Callable[[Going], None], /
    ) -> Iterator[Done[Finding] | Failed]:
        """Begin the cells in order; yield what became of each, by its index."""
        ...


@dataclass(frozen=True, slots=True)
class Watching:
    """Whom a sweep tells.

    Attributes:
        progress: of the share of the work that is done, in [0, 1].
        failure: of a cell that failed, and why.

    """

    progress: Callable[[float], None]
    failure: Callable[[Cell, str], None]


def unfinished(cells: Sequence[Cell], known: Mapping[str, Finding]) -> list[Cell]:
    """List the cells to carry out: each once, the biggest first, so that none ends long after."""
    fresh = {cell.key: cell for cell in cells if cell.key not in known}
    return sorted(fresh.values(), key=lambda cell: (-cell.weight, -cell.workers))


def sweep(
    cells: Sequence[Cell],
    known: Mapping[str, Finding],
    carry_out: CarryOut,
    keep: Callable[[Finding], None],
    watching: Watching,
) -> dict[str, Finding | str]:
    """Carry out all cells that are not `known`; return a finding or an error for each key.

    `keep` gets every finding as soon as it is there.
    """
    todo = unfinished(cells, known)
    found: dict[str, Finding | str] = {
        cell.key: known[cell.key] for cell in cells if cell.key in known
    }
    weights = [cell.weight for cell in todo]
    fractions = [0.0] * len(todo)

    def progress(index: int, fraction: float) -> None:
        fractions[index] = fraction
        done = sum(weight * part for weight, part in zip(weights, fractions, strict=True))
        watching.progress(done / sum(weights))

    for news in carry_out(todo, lambda going: progress(going.index, going.fraction)):
        cell = todo[news.index]
        if isinstance(news, Failed):
            found[cell.key] = news.reason
            watching.failure(cell, news.reason)
        else:
            found[cell.key] = news.found
            keep(news.found)
        progress(news.index, 1.0)
    return found
