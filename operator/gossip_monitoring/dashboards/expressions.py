"""PromQL of the dashboards, written from the metrics as data.

Every selector is limited to what is chosen at the dashboard's head, and every rate spans what
Grafana thinks right for the scrape interval and the zoom. Series are always gathered by labels of
the job, since a replaced pod begins new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gossip_api.metrics import jobs
from gossip_monitoring.promql import select

if TYPE_CHECKING:
    from gossip_api.metrics.metric import Metric

JOB: Final = jobs.IDENTITY
RANK: Final = (*jobs.IDENTITY, "rank")
STRATEGY: Final = (*jobs.IDENTITY, "strategy", "exchange", "topology")

CHOSEN_JOBS: Final = 'namespace=~"$namespace",job_name=~"$job"'
CHOSEN_RANKS: Final = f'{CHOSEN_JOBS},rank=~"$rank"'
CHOSEN_REPLICAS: Final = 'namespace=~"$operator_namespace",instance=~"$instance"'

INTERVAL: Final = "$__rate_interval"


def of(
    metric: Metric, *, within: str = CHOSEN_JOBS, part: str = "", **labels: str | tuple[str, ...]
) -> str:
    """Select series of what is chosen, with these labels of their own."""
    # `select` refuses what the metric does not have.
    name, _, own = select(metric, part=part, **labels).removesuffix("}").partition("{")
    return named(name, own, within=within)


def named(name: str, own: str = "", *, within: str = CHOSEN_JOBS) -> str:
    """Select series that are none of the registry's, such as those of the Prometheus client."""
    return f"{name}{{{','.join(filter(None, (within, own)))}}}"


def gathered(how: str, by: tuple[str, ...], expr: str) -> str:
    """Aggregate by labels; `how` is an aggregation, with its parameter if it has one."""
    operation, _, parameter = how.partition(" ")
    arguments = f"{parameter}, {expr}" if parameter else expr
    return f"{operation} by ({', '.join(by)}) ({arguments})" if by else f"{operation}({arguments})"


def total(by: tuple[str, ...], expr: str) -> str:
    """Add up."""
    return gathered("sum", by, expr)


def highest(by: tuple[str, ...], expr: str) -> str:
    """Take the maximum; of series that should be the same, any."""
    return gathered("max", by, expr)


def known(metric: Metric) -> str:
    """Take a figure that a job as a whole has, whoever tells it."""
    return highest(JOB, of(metric))


def rate(by: tuple[str, ...], series: str) -> str:
    """Add up how much counters grow in a second."""
    return total(by, f"rate({series}[{INTERVAL}])")


def growth(by: tuple[str, ...], series: str) -> str:
    """Add up how much counters grow between two points of a graph."""
    return total(by, f"increase({series}[{INTERVAL}])")


def quantile(share: float, by: tuple[str, ...], metric: Metric, within: str = CHOSEN_JOBS) -> str:
    """Estimate a quantile of a histogram's observations."""
    buckets = rate((*by, "le"), of(metric, within=within, part="bucket"))
    return f"histogram_quantile({share:g}, {buckets})"


def mean(by: tuple[str, ...], metric: Metric, within: str = CHOSEN_JOBS) -> str:
    """Take the mean of a histogram's observations."""
    parts = (rate(by, of(metric, within=within, part=part)) for part in ("sum", "count"))
    return " / ".join(parts)


def of_replicas(metric: Metric, *, part: str = "", **labels: str | tuple[str, ...]) -> str:
    """Select series of the chosen replicas of the operator."""
    return of(metric, within=CHOSEN_REPLICAS, part=part, **labels)


def part_of(by: tuple[str, ...], few: str, all_of_them: str) -> str:
    """Divide the growth of some counters by that of all."""
    return f"{rate(by, few)} / {rate(by, all_of_them)}"


def described(expr: str) -> str:
    """Add the labels of `STRATEGY` to series that have the labels of `JOB`."""
    extra = ", ".join(label for label in STRATEGY if label not in JOB)
    info = highest(STRATEGY, of(jobs.INFO))
    return f"({expr}) * on ({', '.join(JOB)}) group_left ({extra}) {info}"


def of_unfinished_jobs(expr: str) -> str:
    """Leave out jobs that are suspended or over, which have no workers and need none."""
    state = of(jobs.STATE, state=("Pending", "Starting", "Running", "Degraded"))
    return f"({expr}) and on ({', '.join(JOB)}) {highest(JOB, state)} == 1"


def numbered(metric: Metric, label: str) -> str:
    """Turn the value of `label` that has 1 into its number, by job."""
    states = enumerate(metric.labels[label])
    return highest(
        JOB, " or ".join(f"{number} * {of(metric, **{label: state})}" for number, state in states)
    )
