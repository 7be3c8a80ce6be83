"""What dashboards about jobs have in common: choices, events that are marked, words."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gossip_api.metrics import jobs, processes
from gossip_monitoring.dashboards.expressions import JOB, growth, named, of
from gossip_monitoring.dashboards.panel import Mark, Variable
from gossip_monitoring.promql import select

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Pending": "blue",
        "Suspended": "purple",
        "Starting": "yellow",
        "Running": "green",
        "Degraded": "orange",
        "Succeeded": "semi-dark-green",
        "Failed": "red",
    }
)
"""States of a job in the registry's order, with their colours."""
SEVERITIES: Final[Mapping[str, str]] = MappingProxyType(
    {"critical": "red", "warning": "orange", "info": "blue"}
)

FIRING: Final = named("ALERTS", 'alertstate="firing",alertname=~"Gossip.+"')
"""The product's alerts on the chosen jobs, as Prometheus tells of them."""

_ANY: Final = ".+"
_CREATED: Final = select(jobs.CREATED)
_OF_NAMESPACE: Final = of(jobs.CREATED, within='namespace=~"$namespace"')
_STEPS: Final = of(processes.STEP)

SEVERAL_NAMESPACES: Final = Variable(
    "namespace",
    "Namespace",
    f"label_values({_CREATED}, namespace)",
    several=True,
    everything=_ANY,
)
ONE_NAMESPACE: Final = Variable("namespace", "Namespace", f"label_values({_CREATED}, namespace)")
ALL_JOBS: Final = Variable(
    "job", "Job", f"label_values({_OF_NAMESPACE}, job_name)", several=True, everything=_ANY
)
SOME_JOBS: Final = Variable("job", "Job", f"label_values({_OF_NAMESPACE}, job_name)", several=True)
RANKS: Final = Variable(
    "rank", "Worker", f"label_values({_STEPS}, rank)", several=True, everything=_ANY
)

GROUP: Final = "gossip-training-jobs"
"""Of the dashboards on which `ONE_NAMESPACE`, `SOME_JOBS` and `RANKS` are chosen."""

MARKS: Final = (
    Mark("Alerts", FIRING, "{{alertname}}: {{job_name}} {{rank}}", "red"),
    Mark(
        "Restarts",
        f"{growth(JOB, of(jobs.RESTARTS))} > 0",
        "A process of {{job_name}} was started again",
        "orange",
    ),
)
