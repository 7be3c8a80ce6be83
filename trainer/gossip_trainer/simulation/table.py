"""The table that `gossip simulate` prints. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from gossip_trainer.report.words import NOTHING, number, share, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gossip_trainer.simulation.result import Result

QUALITY = "accuracy"  # loss, where there are no classes
COLUMNS = (
    "workers",
    "seed",
    "virtual\nseconds",
    "steps per\nworker",
    "samples",
    QUALITY,
    "consensus\ndistance",
    "bytes per\nworker",
    "seconds\nto target",
    "wall\nseconds",
)


def results_table(results: Sequence[Result]) -> Table:
    """Return one row per simulation; accuracy or loss, and distance, are the final model's."""
    first = results[0]
    table = Table(
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="dim",
        title=f"{first.job}: {first.strategy}, in virtual time",
        title_justify="left",
    )
    for column in COLUMNS:
        name = "loss" if column == QUALITY and first.final.accuracy is None else column
        table.add_column(name, justify="right", vertical="bottom", no_wrap=True)
    for result in results:
        table.add_row(*_row(result))
    return table


def _row(result: Result) -> tuple[str, ...]:
    final, reached = result.final, result.reached
    return (
        f"{result.num_workers:,}",
        str(result.seed),
        number(final.seconds),
        f"{result.steps_per_worker:,.1f}",
        f"{final.job_samples:,}",
        number(final.loss) if final.accuracy is None else share(final.accuracy),
        number(final.consensus_distance),
        size(result.bytes_per_worker),
        NOTHING if reached is None else number(reached.seconds),
        f"{result.cost.wall_seconds:.1f}",
    )
