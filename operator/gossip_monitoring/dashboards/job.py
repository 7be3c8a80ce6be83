"""The dashboard of one job, or of a few to compare: does it learn, how fast, what holds it up."""

from __future__ import annotations

from typing import Final

from gossip_api.metrics import jobs
from gossip_monitoring.dashboards.checkpoints import checkpoints
from gossip_monitoring.dashboards.choices import (
    GROUP,
    MARKS,
    ONE_NAMESPACE,
    RANKS,
    SOME_JOBS,
    STATES,
)
from gossip_monitoring.dashboards.convergence import convergence, progress
from gossip_monitoring.dashboards.expressions import (
    JOB,
    highest,
    known,
    numbered,
    of,
    of_unfinished_jobs,
)
from gossip_monitoring.dashboards.panel import Dashboard, Number, Panel, Query, Row, Unit
from gossip_monitoring.dashboards.recurring import NAME
from gossip_monitoring.dashboards.workers import goodput, resources, workers


def _now() -> Row:
    def number(title: str, text: str, unit: Unit, expr: str, look: Number | None = None) -> Panel:
        query = Query(expr, NAME)
        return Panel(title, text, unit, (query,), look or Number(), width=3, height=4)

    ready, desired = (highest(JOB, of(jobs.WORKERS, state=it)) for it in ("ready", "desired"))
    return Row(
        "Now",
        (
            number(
                "State",
                "The state in the job's status.",
                Unit.NONE,
                numbered(jobs.STATE, "state"),
                Number(states=STATES),
            ),
            number("Progress", "Used share of the budget.", Unit.RATIO, known(jobs.PROGRESS)),
            number(
                "Ends in",
                "Estimated time until the budget is used up; only while the job trains.",
                Unit.SECONDS,
                known(jobs.ETA),
            ),
            number("Loss", "On held-out data.", Unit.NONE, known(jobs.LOSS)),
            number(
                "Accuracy",
                "On held-out data; nothing where there are no classes.",
                Unit.RATIO,
                known(jobs.ACCURACY),
            ),
            number("Training workers", "Workers that are ready.", Unit.NONE, ready),
            number(
                "Missing workers",
                "Workers asked for and not ready, while the job is neither suspended nor over.",
                Unit.NONE,
                of_unfinished_jobs(f"{desired} - {ready}"),
                Number(red_above=1),
            ),
            number(
                "Samples per second",
                "Of all workers together; only while the job trains.",
                Unit.SHORT,
                known(jobs.SAMPLE_RATE),
            ),
        ),
    )


JOB_DASHBOARD: Final = Dashboard(
    "gossip-job",
    "Gossip training / Job",
    "One job, or a few to compare: does it learn, how fast, and what holds it up?",
    (ONE_NAMESPACE, SOME_JOBS, RANKS),
    (_now(), convergence(), progress(), workers(), goodput(), checkpoints(), resources()),
    MARKS,
    GROUP,
)
