"""All dashboards, by the names of their files."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gossip_monitoring.dashboards.communication import COMMUNICATION
from gossip_monitoring.dashboards.fleet import FLEET
from gossip_monitoring.dashboards.job import JOB_DASHBOARD
from gossip_monitoring.dashboards.operator import OPERATOR_DASHBOARD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_monitoring.dashboards.panel import Dashboard

DASHBOARDS: Final[Mapping[str, Dashboard]] = MappingProxyType(
    {
        "fleet": FLEET,
        "job": JOB_DASHBOARD,
        "communication": COMMUNICATION,
        "operator": OPERATOR_DASHBOARD,
    }
)
