"""Alerts about the operator: without it no worker is replaced and no status tells the truth."""

from __future__ import annotations

from typing import Final

from gossip_api.metrics import operator
from gossip_monitoring.promql import select
from gossip_monitoring.rules.rule import SHARE, VALUE, Alert, Group, Severity, lines

NAMESPACE: Final = "{{ $labels.namespace }}"
ERROR_SHARE: Final = 0.1
"""What fails is tried again, so single errors do no harm."""
REFUSED_SHARE: Final = 0.1
TROUBLE: Final = ("0", "401", "429", "5..")
"""No answer, not known any more, too many requests, the server's own fault. Not 403: a quota or a
right that is missing concerns single jobs, whose conditions say so."""
SLOW_SECONDS: Final = 10
"""A job that has something to be done waits this long; a hundred times as long as it should."""
UNREACHED_SHARE: Final = 0.5
"""Dead and starting pods are asked in vain, too, but are never half of what is asked for long."""
PATIENCE: Final = "15m"
"""Longer than an update of the control plane, or the start of a few hundred jobs at once."""


def _rate(series: str, by: str = "namespace") -> str:
    return f"sum by ({by}) (rate({series}[10m]))"


def _share(of: str, among: str) -> str:
    return lines(_rate(of), f"  / {_rate(among)}")


_DOWN = Alert(
    "GossipOperatorDown",
    Severity.CRITICAL,
    f"absent({select(operator.INFO)})",
    # An update or a lost node takes a replica away for less.
    "5m",
    "The operator does not run, or Prometheus does not see it.",
    "Training that runs goes on, but no pod is made or replaced, no status changes, and alerts on "
    "jobs are silent.",
)
_NO_LEADER = Alert(
    "GossipOperatorNoLeader",
    Severity.CRITICAL,
    f"max by (namespace) ({select(operator.LEADER)}) == 0",
    # A leader that is killed is followed by another within 15 s.
    "2m",
    f"No replica of the operator in {NAMESPACE} leads.",
    "Replicas run, but none holds the Lease, so that none acts: no pod is made or replaced.",
)
_ERRORS = Alert(
    "GossipOperatorErrors",
    Severity.WARNING,
    _share(select(operator.RECONCILES, result="error"), select(operator.RECONCILES))
    + f" > {ERROR_SHARE}",
    PATIENCE,
    f"The operator in {NAMESPACE} fails to bring jobs on.",
    f"{SHARE} of its looks at jobs ended in an error for a quarter of an hour.",
)
_REQUESTS_FAIL = Alert(
    "GossipOperatorRequestsFailing",
    Severity.WARNING,
    _share(select(operator.REQUESTS, code=TROUBLE), select(operator.REQUESTS))
    + f" > {REFUSED_SHARE}",
    PATIENCE,
    f"The API server does not serve the operator in {NAMESPACE}.",
    f"{SHARE} of its requests had no answer, or one of trouble, for a quarter of an hour.",
)
_WAITING = _rate(select(operator.QUEUE_SECONDS, part="bucket"), "namespace, le")
_QUEUE_SLOW = Alert(
    "GossipOperatorQueueSlow",
    Severity.WARNING,
    f"histogram_quantile(0.95, {_WAITING}) > {SLOW_SECONDS}",
    PATIENCE,
    f"The operator in {NAMESPACE} does not keep up with its jobs.",
    f"One in twenty jobs waits at least {VALUE} s before the operator looks at it.",
)
_PROBES_FAIL = Alert(
    "GossipOperatorProbesFailing",
    Severity.WARNING,
    _share(select(operator.PROBES, result=("unreachable", "invalid")), select(operator.PROBES))
    + f" > {UNREACHED_SHARE}",
    PATIENCE,
    f"The operator in {NAMESPACE} cannot ask workers how they are.",
    f"{SHARE} of the pods that it asked did not answer for a quarter of an hour, so that the "
    "progress of jobs is unknown.",
)

GROUPS: Final = (
    Group(
        "gossip-training-operator",
        (_DOWN, _NO_LEADER, _ERRORS, _REQUESTS_FAIL, _QUEUE_SLOW, _PROBES_FAIL),
    ),
)
