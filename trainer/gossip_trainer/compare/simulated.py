"""Carries out a cell in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_trainer.compare.records import Finding, Point
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.simulation.simulator import simulate

if TYPE_CHECKING:
    from collections.abc import Callable

    from gossip_trainer.compare.plan import Cell
    from gossip_trainer.simulation.result import Result


def simulate_cell(cell: Cell, watch: Callable[[float], None]) -> Finding:
    """Simulate the cell's job."""
    return finding(cell.key, simulate(cell.job, watch))


def finding(key: str, result: Result) -> Finding:
    """Keep of a simulation what a comparison needs."""
    workers = result.num_workers
    # The last model of a job that ended because it diverged is what was left of it.
    last = len(result.evaluations) if result.stop == StopReason.DIVERGED else 0
    return Finding(
        key=key,
        points=tuple(
            Point(
                seconds=evaluation.seconds,
                samples=evaluation.job_samples,
                steps=evaluation.job_steps / workers,
                received_bytes=evaluation.received_bytes / workers,
                # A model that diverged is no better than chance, whatever the accuracy says.
                accuracy=None if evaluation.loss is None or number == last else evaluation.accuracy,
                loss=evaluation.loss,
                consensus_distance=evaluation.consensus_distance,
            )
            for number, evaluation in enumerate(result.evaluations, start=1)
        ),
        stop=result.stop,
        wall_seconds=result.cost.wall_seconds,
    )
