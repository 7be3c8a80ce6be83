"""Rows of the operator: its looks at jobs, its requests, and what it sees."""

from __future__ import annotations

from typing import Final

from gossip_api.metrics import operator
from gossip_monitoring.dashboards.expressions import (
    CHOSEN_REPLICAS,
    growth,
    highest,
    of_replicas,
    part_of,
    quantile,
    rate,
    total,
)
from gossip_monitoring.dashboards.panel import COLUMNS, Heatmap, Lines, Panel, Query, Row, Unit
from gossip_monitoring.dashboards.recurring import quantiles

REPLICA: Final = "{{instance}}"
INSTANCE: Final = ("instance",)


def looks() -> Row:
    """Show how it looks after jobs."""
    failed = part_of(
        (), of_replicas(operator.RECONCILES, result="error"), of_replicas(operator.RECONCILES)
    )
    return Row(
        "Looks at jobs",
        (
            Panel(
                "Looks at jobs per second",
                "How often a job was looked at, and how it ended.",
                Unit.SHORT,
                (Query(rate(("result",), of_replicas(operator.RECONCILES)), "{{result}}"),),
                Lines(stacked=True),
            ),
            Panel(
                "Looks that fail",
                "Share of the looks at jobs that end in an error. What failed is tried again.",
                Unit.RATIO,
                (Query(failed, "failed"),),
            ),
            Panel(
                "Actions per second",
                "What was carried out for jobs.",
                Unit.SHORT,
                (Query(rate(("action",), of_replicas(operator.ACTIONS)), "{{action}}"),),
                Lines(stacked=True),
            ),
            Panel(
                "Wait for a look",
                "Time that jobs wait to be looked at once there is something to do for them.",
                Unit.SECONDS,
                quantiles(operator.QUEUE_SECONDS, (), within=CHOSEN_REPLICAS),
                Lines(logarithmic=True),
            ),
            Panel(
                "Duration of a look",
                "Time that one look takes, its requests included.",
                Unit.SECONDS,
                quantiles(operator.RECONCILE_SECONDS, (), within=CHOSEN_REPLICAS),
                Lines(logarithmic=True),
            ),
            Panel(
                "Time to decide",
                "Time that it takes to decide what to do for a job, without any request.",
                Unit.SECONDS,
                quantiles(operator.PLAN_SECONDS, (), within=CHOSEN_REPLICAS),
                Lines(logarithmic=True),
            ),
            Panel(
                "Jobs that wait",
                "Jobs in the queue of each replica; only the leader has one.",
                Unit.NONE,
                (Query(total(INSTANCE, of_replicas(operator.QUEUE_DEPTH)), REPLICA),),
                width=12,
            ),
            Panel(
                "Duration of looks",
                "How many looks took how long.",
                Unit.SECONDS,
                (
                    Query(
                        growth(("le",), of_replicas(operator.RECONCILE_SECONDS, part="bucket")),
                        "{{le}}",
                    ),
                ),
                Heatmap(),
                width=12,
            ),
        ),
    )


def requests() -> Row:
    """Show what it asks of the API server."""
    slow = quantile(0.95, ("verb",), operator.REQUEST_SECONDS, CHOSEN_REPLICAS)
    return Row(
        "The API server",
        (
            Panel(
                "Requests by verb",
                "Requests to the API server, watches left out.",
                Unit.REQUESTS_PER_SECOND,
                (Query(rate(("verb",), of_replicas(operator.REQUESTS)), "{{verb}}"),),
                Lines(stacked=True),
                width=6,
            ),
            Panel(
                "Requests by resource",
                "Requests to the API server, watches left out.",
                Unit.REQUESTS_PER_SECOND,
                (Query(rate(("resource",), of_replicas(operator.REQUESTS)), "{{resource}}"),),
                Lines(stacked=True),
                width=6,
            ),
            Panel(
                "Answers by code",
                "0: no answer. 404 and 409 are no trouble: the object was gone or there before.",
                Unit.REQUESTS_PER_SECOND,
                (Query(rate(("code",), of_replicas(operator.REQUESTS)), "{{code}}"),),
                Lines(stacked=True),
                width=6,
            ),
            Panel(
                "Time to answer",
                "Nineteen of twenty requests of each verb are answered within this time.",
                Unit.SECONDS,
                (Query(slow, "{{verb}}"),),
                Lines(logarithmic=True),
                width=6,
            ),
            Panel(
                "Requests refused or not answered",
                "403 for a right or a quota that is missing; the log names the object.",
                Unit.NONE,
                (
                    Query(
                        growth(("verb", "resource"), of_replicas(operator.REQUEST_ERRORS)),
                        "{{verb}} {{resource}}",
                    ),
                ),
                Lines(bars=True, stacked=True),
                width=COLUMNS,
                height=6,
            ),
        ),
    )


def watching() -> Row:
    """Show what it hears of the cluster and of the jobs."""
    relisted = f"time() - {highest(INSTANCE, of_replicas(operator.RELISTED))}"
    return Row(
        "What it sees",
        (
            Panel(
                "Watch events per second",
                "Events that watches brought. used=false: they told nothing new.",
                Unit.EVENTS_PER_SECOND,
                (
                    Query(
                        rate(("kind", "used"), of_replicas(operator.WATCH_EVENTS)),
                        "{{kind}} used={{used}}",
                    ),
                ),
                Lines(stacked=True),
            ),
            Panel(
                "Time since everything was listed again",
                "Saw teeth: now and then everything is listed, in case a watch missed something.",
                Unit.SECONDS,
                (Query(relisted, REPLICA),),
            ),
            Panel(
                "Ghosts",
                "Objects that were found to be gone only when everything was listed again: their "
                "deletion was missed by a watch.",
                Unit.NONE,
                (Query(growth(("kind",), of_replicas(operator.GHOSTS)), "{{kind}}"),),
                Lines(bars=True, stacked=True),
            ),
            Panel(
                "Processes asked for their status",
                "By how it went. unreachable: dead or starting pods, or a NetworkPolicy.",
                Unit.REQUESTS_PER_SECOND,
                (Query(rate(("result",), of_replicas(operator.PROBES)), "{{result}}"),),
                Lines(stacked=True),
                width=12,
            ),
            Panel(
                "Dropped events",
                "Events of jobs that were not written: too many, or refused.",
                Unit.NONE,
                (Query(growth((), of_replicas(operator.DROPPED_EVENTS)), "dropped"),),
                Lines(bars=True),
                width=12,
            ),
        ),
    )
