"""What a rule is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

JOB: Final = "{{ $labels.namespace }}/{{ $labels.job_name }}"
"""The job that an alert is about, in the words of Prometheus' templates."""
RANK: Final = "{{ $labels.rank }}"
VALUE: Final = '{{ $value | printf "%.3g" }}'
SHARE: Final = "{{ $value | humanizePercentage }}"
DURATION: Final = "{{ $value | humanizeDuration }}"


class Severity(StrEnum):
    """What an alert asks for."""

    CRITICAL = "critical"
    """Somebody, now: work is being lost, or nobody would notice if it were."""
    WARNING = "warning"
    """Somebody, today: the job gets on, but not as it should."""
    INFO = "info"
    """Nobody: it is good to know beside others, and on a dashboard."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A series that is computed from others.

    Attributes:
        record: its name, `level:metric:operations`.
        text: what it says, in one sentence.
        expr: what it is computed from.

    """

    record: str
    text: str
    expr: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody should know.

    Attributes:
        name: also that of its runbook.
        severity: what it asks for.
        expr: true while it is so.
        lasting: for how long before it counts, as a duration of PromQL; "0s" for at once.
        summary: what is the matter, in one sentence.
        description: the same with figures, and where to look first.

    """

    name: str
    severity: Severity
    expr: str
    lasting: str
    summary: str
    description: str


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates one after the other."""

    name: str
    rules: tuple[Recording | Alert, ...]

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The alerts among them."""
        return tuple(rule for rule in self.rules if isinstance(rule, Alert))


def lines(*parts: str) -> str:
    """Write an expression on several lines."""
    return "\n".join(parts)
