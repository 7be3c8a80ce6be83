"""Legends, queries and panels that several dashboards have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gossip_monitoring.dashboards.expressions import CHOSEN_JOBS, described, quantile
from gossip_monitoring.dashboards.panel import Lines, Panel, Query, Unit

if TYPE_CHECKING:
    from gossip_api.metrics.metric import Metric

_STRATEGY: Final = "{{strategy}} {{exchange}} {{topology}}"
NAME: Final = "{{job_name}}"
"""A job where one namespace is chosen."""
HOW: Final = f"{NAME} {_STRATEGY}"
FULL_NAME: Final = "{{namespace}}/{{job_name}}"
"""A job where several namespaces may be chosen."""
FULL_HOW: Final = f"{FULL_NAME} {_STRATEGY}"
WORKER: Final = f"{NAME} {{{{rank}}}}"

SHARES: Final = (0.5, 0.95, 0.99)


def quantiles(
    metric: Metric, by: tuple[str, ...], name: str = "", within: str = CHOSEN_JOBS
) -> tuple[Query, ...]:
    """Ask for what half, nineteen of twenty and 99 of 100 observations do not exceed."""
    return tuple(
        Query(quantile(share, by, metric, within), f"{name} {share:.0%}".strip())
        for share in SHARES
    )


def by_strategy(title: str, text: str, unit: Unit, expr: str, look: Lines | None = None) -> Panel:
    """Show a line for each job, with its strategy in the legend."""
    return Panel(title, text, unit, (Query(described(expr), HOW),), look or Lines())
