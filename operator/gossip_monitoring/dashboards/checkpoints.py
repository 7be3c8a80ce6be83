"""The row about what is saved of a job while it trains."""

from __future__ import annotations

from gossip_api.metrics import jobs, processes
from gossip_monitoring.dashboards.expressions import (
    CHOSEN_RANKS,
    RANK,
    growth,
    highest,
    known,
    of,
)
from gossip_monitoring.dashboards.panel import Lines, Panel, Query, Row, Unit
from gossip_monitoring.dashboards.recurring import NAME, WORKER


def checkpoints() -> Row:
    """Show how old each worker's newest checkpoint is, and how well they are written."""
    last, took, failed = (
        of(processes.LAST_CHECKPOINT, within=CHOSEN_RANKS),
        of(processes.CHECKPOINT_SECONDS, within=CHOSEN_RANKS),
        of(processes.CHECKPOINTS, within=CHOSEN_RANKS, result="failed"),
    )
    return Row(
        "Checkpoints",
        (
            Panel(
                "Age of the newest checkpoint",
                "What would be lost if all pods were lost now. Saw teeth as high as the interval "
                "that the job asks for.",
                Unit.SECONDS,
                (
                    Query(f"time() - {highest(RANK, last)}", WORKER),
                    Query(known(jobs.CHECKPOINT_INTERVAL), f"{NAME} interval"),
                ),
            ),
            Panel(
                "Duration of checkpoints",
                "How long the newest took to write, while training went on.",
                Unit.SECONDS,
                (Query(highest(RANK, took), WORKER),),
            ),
            Panel(
                "Failed checkpoints",
                "The workers' logs say why. Each is tried again at the next time.",
                Unit.NONE,
                (Query(growth(RANK, failed), WORKER),),
                Lines(bars=True, stacked=True),
            ),
        ),
    )
