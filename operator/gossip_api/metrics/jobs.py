"""What is told of a job as a whole: by the operator from its status, locally by the launcher.

These series do not depend on which pods live, and vanish with the job. What is not known is absent.
"""

from typing import Final, get_args

from gossip_api.metrics.metric import ANY, counter, gauge
from gossip_api.status import ConditionType, State

IDENTITY: Final = ("namespace", "job_name")
"""Labels that every series has, in front of its own."""

WORKER_STATES: Final = ("desired", "minimum", "active", "ready", "succeeded", "failed")
CONDITION_STATUSES: Final = ("True", "False", "Unknown")

INFO = gauge(
    "gossip_job_info",
    "1; the labels say what the job is.",
    strategy=ANY,
    exchange=ANY,
    topology=ANY,
    model=ANY,
    data=ANY,
)
STATE = gauge(
    "gossip_job_state", "1 for the state that the job is in, 0 for others.", state=get_args(State)
)
CONDITION = gauge(
    "gossip_job_condition",
    "1 for the status that a condition has, 0 for others.",
    condition=get_args(ConditionType),
    status=CONDITION_STATUSES,
)
WORKERS = gauge(
    "gossip_job_workers",
    "Workers: asked for, needed at least, with a pod, training, finished, lost.",
    state=WORKER_STATES,
)
PROGRESS = gauge("gossip_job_progress_ratio", "Used share of the budget.")
STEP = gauge("gossip_job_step", "Median step of the workers.")
EPOCH = gauge("gossip_job_epoch", "Job-wide passes over the training set.")
SAMPLE_RATE = gauge(
    "gossip_job_samples_per_second", "Training samples per second of all workers together."
)
LOSS = gauge("gossip_job_loss", "Loss of the job's model on held-out data.")
ACCURACY = gauge("gossip_job_accuracy_ratio", "Accuracy of the job's model on held-out data.")
CONSENSUS_DISTANCE = gauge(
    "gossip_job_consensus_distance",
    "Root mean square distance of the workers' models from their mean.",
)
ETA = gauge("gossip_job_eta_seconds", "Estimated time until the budget is used up.")
UPDATED = gauge(
    "gossip_job_progress_timestamp_seconds",
    "When training was last seen to get on, in seconds since the epoch.",
)
RESTARTS = counter("gossip_job_restarts_total", "How often a process was started again.")
CREATED = gauge(
    "gossip_job_created_timestamp_seconds", "When the job was made, in seconds since the epoch."
)
STARTED = gauge(
    "gossip_job_start_timestamp_seconds",
    "When the first pod was made, in seconds since the epoch.",
)
BEGAN = gauge(
    "gossip_job_began_timestamp_seconds", "When training began, in seconds since the epoch."
)
COMPLETED = gauge(
    "gossip_job_completion_timestamp_seconds", "When the job was over, in seconds since the epoch."
)
CHECKPOINT_INTERVAL = gauge(
    "gossip_job_checkpoint_interval_seconds",
    "Time between two checkpoints of a worker that the job asks for; absent where workers save "
    "none.",
)

JOB: Final = (
    INFO,
    STATE,
    CONDITION,
    WORKERS,
    PROGRESS,
    STEP,
    EPOCH,
    SAMPLE_RATE,
    LOSS,
    ACCURACY,
    CONSENSUS_DISTANCE,
    ETA,
    UPDATED,
    RESTARTS,
    CREATED,
    STARTED,
    BEGAN,
    COMPLETED,
    CHECKPOINT_INTERVAL,
)
