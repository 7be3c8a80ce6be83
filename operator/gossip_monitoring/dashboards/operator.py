"""The dashboard of the operator: does it lead, keep up, and get answers."""

from __future__ import annotations

from typing import Final

from gossip_api.metrics import operator
from gossip_monitoring.dashboards.expressions import (
    CHOSEN_REPLICAS,
    gathered,
    highest,
    named,
    of,
    of_replicas,
    rate,
    total,
)
from gossip_monitoring.dashboards.operator_work import INSTANCE, REPLICA, looks, requests, watching
from gossip_monitoring.dashboards.panel import (
    Dashboard,
    Mark,
    Number,
    Panel,
    Query,
    Row,
    Unit,
    Variable,
)
from gossip_monitoring.promql import select

_OF_NAMESPACE: Final = of(operator.INFO, within='namespace=~"$operator_namespace"')
_FIRING: Final = named(
    "ALERTS",
    'alertstate="firing",alertname=~"GossipOperator.+"',
    # An operator that is gone has no namespace to tell.
    within='namespace=~"$operator_namespace|"',
)


def _now() -> Row:
    def number(title: str, text: str, query: Query, look: Number | None = None) -> Panel:
        return Panel(title, text, Unit.NONE, (query,), look or Number(), width=4, height=4)

    leaders = total((), of_replicas(operator.LEADER))
    waiting = total((), of_replicas(operator.QUEUE_DEPTH))
    return Row(
        "Now",
        (
            number("Leaders", "Replicas that lead: one, always.", Query(leaders, "leaders")),
            number(
                "Replicas by version",
                "Replicas that run, by their version.",
                Query(gathered("count", ("version",), of_replicas(operator.INFO)), "{{version}}"),
            ),
            number(
                "Jobs",
                "Jobs that the leader looks after.",
                Query(highest((), of_replicas(operator.JOBS)), "jobs"),
            ),
            number(
                "Pods",
                "Pods of these jobs.",
                Query(highest((), of_replicas(operator.PODS)), "pods"),
            ),
            number(
                "Jobs that wait",
                "Jobs that wait to be looked at. More than a few for long: it does not keep up.",
                Query(waiting, "jobs"),
            ),
            number(
                "Firing alerts",
                "Alerts about the operator. Needs the alerts' rules.",
                Query(f"count({_FIRING}) or vector(0)", "alerts"),
                Number(red_above=1),
            ),
        ),
    )


def _process() -> Row:
    def lines(title: str, text: str, unit: Unit, expr: str) -> Panel:
        return Panel(title, text, unit, (Query(expr, REPLICA),))

    processor, memory, files = (
        named(name, within=CHOSEN_REPLICAS)
        for name in (
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
        )
    )
    return Row(
        "Its process",
        (
            lines("Processor time", "Cores in use.", Unit.NONE, rate(INSTANCE, processor)),
            lines("Memory", "Resident memory.", Unit.BYTES, total(INSTANCE, memory)),
            lines("Open files", "Connections included.", Unit.NONE, total(INSTANCE, files)),
        ),
    )


OPERATOR_DASHBOARD: Final = Dashboard(
    "gossip-operator",
    "Gossip training / Operator",
    "The operator: does it lead, keep up, and get answers?",
    (
        Variable(
            "operator_namespace",
            "Operator's namespace",
            f"label_values({select(operator.INFO)}, namespace)",
            several=True,
            # Whoever scrapes it without a namespace wants to see it, too.
            everything=".*",
        ),
        Variable(
            "instance",
            "Replica",
            f"label_values({_OF_NAMESPACE}, instance)",
            several=True,
            everything=".+",
        ),
    ),
    (_now(), looks(), requests(), watching(), _process()),
    (Mark("Alerts", _FIRING, "{{alertname}}", "red"),),
)
