"""Recording rules: what alerts and dashboards ask for again and again, per job or per rank.

A name is `level:metric:operations`; every series of them has `namespace` and `job_name`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gossip_api.metrics import jobs, processes
from gossip_monitoring.promql import select
from gossip_monitoring.rules.rule import Group, Recording, lines

if TYPE_CHECKING:
    from gossip_api.metrics.metric import Metric

BY_JOB: Final = f"by ({', '.join(jobs.IDENTITY)})"
ON_JOB: Final = f"on ({', '.join(jobs.IDENTITY)})"
BY_RANK: Final = f"by ({', '.join((*jobs.IDENTITY, 'rank'))})"
BY_BUCKET: Final = f"by ({', '.join((*jobs.IDENTITY, 'le'))})"

WINDOW: Final = "5m"
"""Several scrapes at any usual interval, and little beside what alerts wait for."""
HANDOVER: Final = "2m"
"""The operator's next leader tells of the jobs within this; until then the last one's word holds.
Without it every alert would begin to wait anew."""

TRAINING: Final = "job_name:gossip_job_state:training"
UNFINISHED: Final = "job_name:gossip_job_state:unfinished"
STEP_RATE: Final = "job_name:gossip_worker_steps:rate5m"
SAMPLE_RATE: Final = "job_name:gossip_worker_samples:rate5m"
BYTE_RATE: Final = "job_name:gossip_worker_transferred_bytes:rate5m"
GOODPUT: Final = "job_name:gossip_goodput:ratio_rate5m"
STEP_SECONDS_P95: Final = "job_name:gossip_worker_step_duration_seconds:p95_5m"
STALENESS_P95: Final = "job_name:gossip_worker_staleness_steps:p95_5m"
LOST_EXCHANGES: Final = "job_name:gossip_worker_exchanges_lost:ratio_rate5m"
OWN_STEP_SECONDS: Final = "rank:gossip_worker_own_step_seconds:mean_5m"


def told(metric: Metric, **labels: str | tuple[str, ...]) -> str:
    """Ask for what the operator tells of each job, whoever of its replicas leads."""
    return f"max {BY_JOB} (last_over_time({select(metric, part='', **labels)}[{HANDOVER}]))"


def in_state(*states: str) -> str:
    """Ask for the jobs that are in one of these states."""
    return f"{told(jobs.STATE, state=states)} == 1"


def _rate(series: str, by: str = BY_JOB) -> str:
    return f"sum {by} (rate({series}[{WINDOW}]))"


def _p95(metric: Metric) -> str:
    return f"histogram_quantile(0.95, {_rate(select(metric, part='bucket'), BY_BUCKET)})"


def _share(of: str, among: str, by: str = BY_JOB) -> str:
    return lines(_rate(of, by), f"  / {_rate(among, by)}")


_WORKING: Final = tuple(phase for phase in processes.PHASES if phase != "wait")

GROUPS: Final = (
    Group(
        "gossip-training-recording",
        (
            Recording(
                TRAINING,
                "1 for jobs that train, complete or not; absent for others.",
                in_state("Running", "Degraded"),
            ),
            Recording(
                UNFINISHED,
                "1 for jobs that train or are about to; absent for others.",
                in_state("Pending", "Starting", "Running", "Degraded"),
            ),
            Recording(
                STEP_RATE,
                "Steps per second of all workers together.",
                _rate(select(processes.STEPS_TAKEN)),
            ),
            Recording(
                SAMPLE_RATE,
                "Training samples per second of all workers together.",
                _rate(select(processes.SAMPLES)),
            ),
            Recording(
                BYTE_RATE,
                "Model bytes per second that the workers sent and received.",
                _rate(select(processes.BYTES)),
            ),
            Recording(
                GOODPUT,
                "The share of the training threads' time that went into computing.",
                _share(
                    select(processes.PHASE_SECONDS, phase=processes.GOOD_PHASES),
                    select(processes.PHASE_SECONDS),
                ),
            ),
            Recording(
                STEP_SECONDS_P95,
                "Time that the slowest twentieth of the steps took at least.",
                _p95(processes.STEP_SECONDS),
            ),
            Recording(
                STALENESS_P95,
                "Age in steps that the oldest twentieth of the models taken in had at least.",
                _p95(processes.STALENESS),
            ),
            Recording(
                LOST_EXCHANGES,
                "The share of the exchanges begun that came to nothing.",
                _share(
                    select(processes.EXCHANGES, result="lost"),
                    select(processes.EXCHANGES, result=("completed", "lost")),
                ),
            ),
            # A worker that takes no step has no time per step; other alerts speak of it.
            Recording(
                OWN_STEP_SECONDS,
                "Seconds that a worker's step takes without what it spent waiting for others.",
                lines(
                    _rate(select(processes.PHASE_SECONDS, phase=_WORKING), BY_RANK),
                    f"  / ({_rate(select(processes.STEPS_TAKEN), BY_RANK)} > 0)",
                ),
            ),
        ),
    ),
)
