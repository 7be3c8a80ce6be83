"""What the processes of a job expose on their metrics port.

Their series carry no label that says whose they are: a scraper gives them `namespace`, `job_name`,
`role` and `rank` (the PodMonitor does, and so does `gossip run --metrics-port`). No label names a
peer, so a job of n workers has a number of series that grows with n and not with n squared.
"""

from typing import Final

from gossip_api.metrics.metric import ANY, STEPS, counter, gauge, histogram

IDENTITY: Final = ("namespace", "job_name", "role", "rank")
"""Labels that a scraper adds."""

PHASES: Final = ("data", "compute", "communicate", "wait")
"""What the training thread spends its time on. data: a batch is fetched. compute: forward, backward
and the optimizer. communicate: the model is published, others' are mixed in. wait: for others."""
GOOD_PHASES: Final = ("compute",)
"""Those that count as goodput."""
RESULTS: Final = ("completed", "lost", "skipped")
DIRECTIONS: Final = ("received", "sent")
SAVES: Final = ("saved", "failed")

INFO = gauge(
    "gossip_process_info",
    "1; the labels say what the process is.",
    version=ANY,
    strategy=ANY,
    exchange=ANY,
    topology=ANY,
)
JOB_SAMPLES = gauge(
    "gossip_process_job_samples", "Samples of the whole job, as far as the process knows."
)
PEERS = gauge("gossip_process_peers", "Other workers that the process knows to live.")

STEPS_TAKEN = counter("gossip_worker_steps_total", "Optimizer steps of this process.")
STEP = gauge("gossip_worker_step", "The worker's step, those of the model it began with included.")
SAMPLES = counter("gossip_worker_samples_total", "Training samples of this process.")
STEP_SECONDS = histogram(
    "gossip_worker_step_duration_seconds", "Time from the end of one step to that of the next."
)
PHASE_SECONDS = counter(
    "gossip_worker_phase_seconds_total",
    "What the training thread spent its time on.",
    phase=PHASES,
)
LAST_STEP = gauge(
    "gossip_worker_last_step_timestamp_seconds",
    "When the last step ended, in seconds since the epoch.",
)
LOSS = gauge("gossip_worker_loss", "Mean training loss of the last second or so.")
GRADIENT_NORM = gauge("gossip_worker_gradient_norm", "Norm of a recent gradient.")
LEARNING_RATE = gauge("gossip_worker_learning_rate", "The learning rate in use.")
NONFINITE = counter(
    "gossip_worker_nonfinite_steps_total", "Steps whose loss was not a finite number."
)
EXCHANGES = counter(
    "gossip_worker_exchanges_total",
    "Own exchanges. completed: the answer came. lost: it came to nothing. skipped: not begun, "
    "because the one before was still under way.",
    result=RESULTS,
)
EXCHANGE_SECONDS = histogram(
    "gossip_worker_exchange_duration_seconds", "Time from an exchange's beginning to its end."
)
HEARD = counter("gossip_worker_messages_total", "Others' messages that were taken in.")
BYTES = counter(
    "gossip_worker_transferred_bytes_total",
    "Model bytes, without headers.",
    direction=DIRECTIONS,
)
STALENESS = histogram(
    "gossip_worker_staleness_steps",
    "Age of the peers' models taken in: own step less that of the model, 0 if the peer is ahead.",
    STEPS,
)
UNPUBLISHED = counter(
    "gossip_worker_unpublished_steps_total",
    "Steps whose model was not published because readers held every buffer.",
)
PUSH_SUM_WEIGHT = gauge(
    "gossip_worker_push_sum_weight", "The worker's weight w; 1 with any exchange but push-sum."
)
GENERATIONS = counter(
    "gossip_worker_generations_total", "Groups that a worker of a collective strategy entered."
)
CHECKPOINTS = counter(
    "gossip_worker_checkpoints_total",
    "Checkpoints. saved: it is whole. failed: it could not be written.",
    result=SAVES,
)
CHECKPOINT_SECONDS = gauge(
    "gossip_worker_checkpoint_duration_seconds",
    "Time that the last checkpoint took to write; training goes on meanwhile.",
)
LAST_CHECKPOINT = gauge(
    "gossip_worker_last_checkpoint_timestamp_seconds",
    "When the last checkpoint was whole, in seconds since the epoch.",
)

VERSION = gauge("gossip_server_version", "Updates that the shard has taken in.")
MESSAGES = counter("gossip_server_messages_total", "Workers' messages that were taken in.")
SERVER_BYTES = counter(
    "gossip_server_transferred_bytes_total",
    "Model bytes, without headers.",
    direction=DIRECTIONS,
)

EVALUATIONS = counter("gossip_evaluator_evaluations_total", "Tests of the job's model.")
EVALUATION_SECONDS = histogram(
    "gossip_evaluator_evaluation_duration_seconds",
    "Time that reading the workers' models and testing their average took.",
)
EVALUATION_INTERVAL = gauge(
    "gossip_evaluator_interval_seconds", "Time between two tests that the job asks for."
)
LAST_EVALUATION = gauge(
    "gossip_evaluator_last_evaluation_timestamp_seconds",
    "When the newest test ended, in seconds since the epoch.",
)
EVALUATED_LOSS = gauge(
    "gossip_evaluator_loss", "Loss on held-out data of the workers' average, or of the centre."
)
EVALUATED_ACCURACY = gauge(
    "gossip_evaluator_accuracy_ratio",
    "The same model's accuracy; not a number if there are no classes.",
)
CONSENSUS_DISTANCE = gauge(
    "gossip_evaluator_consensus_distance",
    "Root mean square distance of the workers' models from their mean.",
)
RELATIVE_CONSENSUS_DISTANCE = gauge(
    "gossip_evaluator_consensus_distance_ratio", "The same over the norm of the mean."
)
AVERAGED = gauge("gossip_evaluator_averaged_workers", "Workers whose models are in the mean.")
MISSED = counter(
    "gossip_evaluator_missed_workers_total", "Workers that were there but could not be read."
)
SPREAD = gauge(
    "gossip_evaluator_spread_steps", "Newest less oldest step of the models in the mean."
)

COMMON: Final = (INFO, JOB_SAMPLES, PEERS)
WORKER: Final = (
    STEPS_TAKEN,
    STEP,
    SAMPLES,
    STEP_SECONDS,
    PHASE_SECONDS,
    LAST_STEP,
    LOSS,
    GRADIENT_NORM,
    LEARNING_RATE,
    NONFINITE,
    EXCHANGES,
    EXCHANGE_SECONDS,
    HEARD,
    BYTES,
    STALENESS,
    UNPUBLISHED,
    PUSH_SUM_WEIGHT,
    GENERATIONS,
    CHECKPOINTS,
    CHECKPOINT_SECONDS,
    LAST_CHECKPOINT,
)
SERVER: Final = (VERSION, MESSAGES, SERVER_BYTES)
EVALUATOR: Final = (
    EVALUATIONS,
    EVALUATION_SECONDS,
    EVALUATION_INTERVAL,
    LAST_EVALUATION,
    EVALUATED_LOSS,
    EVALUATED_ACCURACY,
    CONSENSUS_DISTANCE,
    RELATIVE_CONSENSUS_DISTANCE,
    AVERAGED,
    MISSED,
    SPREAD,
)
