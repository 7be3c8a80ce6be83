"""Selectors of series, written from the metrics as data: a name or value that is none fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gossip_api.metrics.jobs import IDENTITY as JOB_IDENTITY
from gossip_api.metrics.metric import gauge
from gossip_api.metrics.processes import IDENTITY as PROCESS_IDENTITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gossip_api.metrics.metric import Metric

PROCESS_START: Final = gauge(
    "process_start_time_seconds", "When the process began; told by the Prometheus client."
)


def select(metric: Metric, *, part: str = "", **labels: str | Sequence[str]) -> str:
    """Select the series of `metric` whose labels have these values, one of several if so given.

    Args:
        metric: one of the registry.
        part: `bucket`, `sum` or `count` of a histogram.
        labels: of the metric's own, or those that a scraper adds.

    Raises:
        ValueError: the metric has no such part or label, or the label no such value.

    """
    name = f"{metric.name}_{part}" if part else metric.name
    if name not in metric.series:
        raise ValueError(f"got {name}; {metric.name} has {', '.join(metric.series)}")
    matchers = [_matcher(metric, label, values) for label, values in labels.items()]
    return f"{name}{{{','.join(matchers)}}}" if matchers else name


def select_any(*metrics: Metric) -> str:
    """Select the series of several metrics at once.

    Unlike with `or`, a series of one does not hide that of another with the same labels.
    """
    return f'{{__name__=~"{"|".join(metric.name for metric in metrics)}"}}'


def _matcher(metric: Metric, label: str, values: str | Sequence[str]) -> str:
    allowed = metric.labels.get(label, () if label in (*JOB_IDENTITY, *PROCESS_IDENTITY) else None)
    if allowed is None:
        raise ValueError(f"got label {label}; {metric.name} has {', '.join(metric.labels)}")
    asked = (values,) if isinstance(values, str) else tuple(values)
    for value in asked:
        if allowed and value not in allowed:
            raise ValueError(f"got {label}={value!r} of {metric.name}; has {', '.join(allowed)}")
    return f'{label}="{asked[0]}"' if len(asked) == 1 else f'{label}=~"{"|".join(asked)}"'
