"""Alerts about how a job stands: whether it begins, gets on, has its workers, and saves them."""

from __future__ import annotations

from typing import Final

from gossip_api.metrics import jobs, processes
from gossip_monitoring.promql import PROCESS_START, select, select_any
from gossip_monitoring.rules.recording import (
    BY_JOB,
    BY_RANK,
    ON_JOB,
    TRAINING,
    UNFINISHED,
    in_state,
    told,
)
from gossip_monitoring.rules.rule import (
    DURATION,
    JOB,
    RANK,
    SHARE,
    VALUE,
    Alert,
    Group,
    Severity,
    lines,
)

PENDING_FOR: Final = "15m"
"""Longer than it takes to add nodes and pull an image; half of the default `startDeadline`."""
STALLED_SECONDS: Final = 600
"""Longer than a restart of all pods, and than any step of a model that is of use."""
DEGRADED_FOR: Final = "10m"
"""Longer than it takes to replace a worker, on a new node if need be."""
BELOW_MINIMUM_FOR: Final = "5m"
"""Strategies that wait for all make no step meanwhile, so half as patient."""
RESTARTS: Final = 3
"""A process that is started again more often than this within an hour will be again: the third
restart in place is also when the operator takes another pod."""
FAILED_SECONDS: Final = 24 * 3600
"""A failed job may be kept for ever; its alert is for those who come to work the next day."""
UNSCRAPED_FOR: Final = "15m"
"""Longer than any Prometheus takes to hear of new pods."""
CHECKPOINTS_MISSED: Final = 3
"""One save that fails is tried again at the next; after three nobody should rely on them."""
SLACK_SECONDS: Final = 300
"""Beside three short intervals: how long a large model may take to write, and a scrape to come."""
FAILED_SAVES: Final = 0.25
"""One of twelve, or of four workers, is chance; more is the storage."""

_DESIRED = told(jobs.WORKERS, state="desired")
_READY = told(jobs.WORKERS, state="ready")
_MINIMUM = told(jobs.WORKERS, state="minimum")
_STARTED = select(PROCESS_START, role="worker")

_PENDING = Alert(
    "GossipJobPending",
    Severity.WARNING,
    in_state("Pending", "Starting"),
    PENDING_FOR,
    f"Job {JOB} does not begin.",
    "Fewer workers than minReplicas have come up for a quarter of an hour. The message of the "
    "job's condition Progressing says what keeps them.",
)
_STALLED = Alert(
    "GossipJobStalled",
    Severity.CRITICAL,
    # Whichever is the newest counts: workers may be out of the scraper's reach, or the operator
    # may be unable to ask them.
    lines(
        f"time() - max {BY_JOB} ({select_any(processes.LAST_STEP, jobs.UPDATED, jobs.BEGAN)})",
        f"  > {STALLED_SECONDS} and {ON_JOB} {TRAINING}",
    ),
    "1m",
    f"Job {JOB} takes no step.",
    f"No worker is known to have taken a step for {DURATION}, though the job is neither suspended "
    "nor over.",
)
_DEGRADED = Alert(
    "GossipJobDegraded",
    Severity.WARNING,
    lines(
        f"({_DESIRED} - {_READY} > 0)",
        f"  and {ON_JOB} ({in_state('Degraded')})",
        f"  unless {ON_JOB} ({_READY} < {_MINIMUM})",
    ),
    DEGRADED_FOR,
    f"Job {JOB} trains with fewer workers than it asks for.",
    f"{VALUE} missing for ten minutes. The others train on; the message of the job's condition "
    "Degraded says what keeps those.",
)
_BELOW_MINIMUM = Alert(
    "GossipJobBelowMinimum",
    Severity.CRITICAL,
    lines(f"({_READY} < {_MINIMUM})", f"  and {ON_JOB} ({in_state('Degraded')})"),
    BELOW_MINIMUM_FOR,
    f"Job {JOB} has fewer workers than its minReplicas.",
    f"Only {VALUE} ready for five minutes. A collective strategy takes no step until there are "
    "enough.",
)
_WORKER_RESTARTING = Alert(
    "GossipWorkerRestarting",
    Severity.WARNING,
    # A process is one more start, in its pod or in the next one of its rank; the first is none.
    lines(
        f"(sum {BY_RANK} (changes({_STARTED}[1h]) + 1) - 1 > {RESTARTS})",
        f"  and {ON_JOB} {UNFINISHED}",
    ),
    "0s",
    f"Worker {RANK} of {JOB} is started again and again.",
    f"{VALUE} times within an hour. The job's status.failures and the pod's previous log say why.",
)
_JOB_RESTARTING = Alert(
    "GossipJobRestarting",
    Severity.WARNING,
    # A drain of all nodes replaces every worker once, and that is no fault of theirs.
    lines(
        f"(max {BY_JOB} (increase({select(jobs.RESTARTS)}[1h])) > {_DESIRED} + {RESTARTS})",
        f"  and {ON_JOB} {UNFINISHED}",
    ),
    "0s",
    f"Processes of {JOB} are started again and again.",
    f"{VALUE} times within an hour, which is more than once for every worker. The job's "
    "status.failures says why.",
)
_FAILED = Alert(
    "GossipJobFailed",
    Severity.INFO,
    lines(
        f"{told(jobs.CONDITION, condition='Failed', status='True')} == 1",
        f"  and {ON_JOB} (time() - {told(jobs.COMPLETED)} < {FAILED_SECONDS})",
    ),
    "0s",
    f"Job {JOB} has failed.",
    "The reason and the message of the job's condition Failed say why.",
)
_NOT_SCRAPED = Alert(
    "GossipJobNotScraped",
    Severity.INFO,
    f"{TRAINING} unless {ON_JOB} count {BY_JOB} ({select(processes.INFO, role='worker')})",
    UNSCRAPED_FOR,
    f"Prometheus sees no worker of {JOB}.",
    "The job trains, but none of its workers was scraped for a quarter of an hour, so that no "
    "alert can tell how it learns.",
)
_PATIENCE = f"{SLACK_SECONDS} + {CHECKPOINTS_MISSED} * {told(jobs.CHECKPOINT_INTERVAL)}"
_CHECKPOINT_STALE = Alert(
    "GossipCheckpointStale",
    Severity.WARNING,
    # A worker that has just come has had no time to save, nor has any in a job that just began.
    lines(
        f"time() - min {BY_JOB} (max {BY_RANK} ({select(processes.LAST_CHECKPOINT)} > 0 "
        f"or {_STARTED}))",
        f"  > {_PATIENCE}",
        f"  and time() - {told(jobs.BEGAN)}",
        f"  > {_PATIENCE}",
        f"  and {ON_JOB} {TRAINING}",
    ),
    "1m",
    f"Workers of {JOB} save no checkpoints any more.",
    f"The newest checkpoint of one of them is {DURATION} old, more than three of the job's "
    "intervals. Training goes on, but what is learned from now on is lost with the pods.",
)
_SAVED, _UNSAVED = (
    f"sum {BY_JOB} (increase({select(processes.CHECKPOINTS, result=result)}[1h]))"
    for result in processes.SAVES
)
_CHECKPOINT_FAILING = Alert(
    "GossipCheckpointFailing",
    Severity.WARNING,
    lines(
        f"({_UNSAVED} / ({_SAVED} + {_UNSAVED}) > {FAILED_SAVES})",
        f"  and {ON_JOB} {TRAINING}",
    ),
    "5m",
    f"Checkpoints of {JOB} cannot be written.",
    f"{SHARE} of those of the last hour failed. The workers' logs say why.",
)

GROUPS: Final = (
    Group(
        "gossip-training-jobs",
        (
            _PENDING,
            _STALLED,
            _DEGRADED,
            _BELOW_MINIMUM,
            _WORKER_RESTARTING,
            _JOB_RESTARTING,
            _FAILED,
            _NOT_SCRAPED,
            _CHECKPOINT_STALE,
            _CHECKPOINT_FAILING,
        ),
    ),
)
