"""How a job stands, as the operator writes it and people read it.

Measured values are strings, so that no client rounds them; counts are numbers. Nothing has a
default in the schema: what is not known yet is absent.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, WithJsonSchema

from gossip_api.names import Role
from gossip_api.process import Stop
from gossip_api.reasons import Reason
from gossip_api.record import Record

Count = Annotated[int, Field(ge=0)]
Time = Annotated[AwareDatetime, Field(strict=False)]
State = Literal["Pending", "Suspended", "Starting", "Running", "Degraded", "Succeeded", "Failed"]
ConditionType = Literal[
    "Accepted", "WorkersReady", "Progressing", "Degraded", "Suspended", "Complete", "Failed"
]
AnyReason = Annotated[
    Reason,
    Field(strict=False),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"}),
]
"""One of the list; the definition allows any, so that an operator may be newer than it."""
AnyRole = Annotated[Role, Field(strict=False)]


class Condition(Record):
    """One aspect of the job's state."""

    type: ConditionType
    """The aspect."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: AnyReason
    """Why, in one word for programs."""
    message: str = ""
    """Why, in a sentence for people."""
    last_transition_time: Time
    """When the status changed last."""
    observed_generation: Count | None = None
    """Generation of the job that this speaks of."""


class WorkerCounts(Record):
    """The workers in numbers."""

    desired: Count | None = None
    """Workers that the job asks for."""
    active: Count | None = None
    """Workers whose pods exist and have not ended; what a scaler compares with `replicas`."""
    ready: Count | None = None
    """Workers that train and serve their models."""
    succeeded: Count | None = None
    """Workers that finished."""
    failed: Count | None = None
    """Workers that are lost and not replaced yet."""
    display: str | None = None
    """Ready and desired workers for people, like 7/8."""
    selector: str | None = None
    """Label selector of the worker pods, for the scale subresource."""


class Progress(Record):
    """How far training has come."""

    step: Count | None = None
    """Median step of the workers."""
    epoch: str | None = None
    """Job-wide epochs so far."""
    percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """Used share of the budget."""
    eta_seconds: Count | None = None
    """Estimated seconds until the budget is used up."""
    samples_per_second: str | None = None
    """Training samples per second of all workers."""
    loss: str | None = None
    """Loss of the averaged model on held-out data."""
    accuracy: str | None = None
    """Accuracy of the averaged model on held-out data."""
    consensus_distance: str | None = None
    """How far the workers' models are apart: root mean square distance from their mean."""
    updated: Time | None = None
    """When these numbers were taken."""


class Failure(Record):
    """One process that ended badly."""

    role: AnyRole
    """What the process did."""
    index: Count
    """Rank of a worker, shard of a server, 0 for the evaluator."""
    incarnation: Count = 0
    """Which of its incarnations."""
    reason: str
    """Why it ended, or cannot run, in one word."""
    message: str = ""
    """The same in a sentence."""
    exit_code: int | None = None
    """Its exit code, where it has one."""
    node: str | None = None
    """The Kubernetes node it ran on."""
    time: Time
    """When it ended."""


class Result(Record):
    """The job's model, tested on held-out data when training was over."""

    loss: str | None = None
    """Loss; absent if it is not finite."""
    accuracy: str | None = None
    """Accuracy; absent if there are no classes."""
    consensus_distance: str | None = None
    """How far the workers' models were apart: root mean square distance from their mean."""
    step: Count | None = None
    """Median step of the workers."""
    epoch: str | None = None
    """Job-wide epochs."""
    model: str | None = None
    """Where the model lies: `pvc://claim/path`, or a URL; absent for a job without checkpoints."""


class Launched(Record):
    """How many places for processes were ever filled: one more than the highest index."""

    workers: Count = 0
    """Ranks of workers."""
    servers: Count = 0
    """Shards of servers."""
    evaluators: Count = 0
    """1 once there was an evaluator."""


class LedgerEntry(Record):
    """What must be remembered of one rank or shard after its pods are gone."""

    role: AnyRole
    """What its processes do."""
    index: Count
    """Rank of a worker, shard of a server, 0 for the evaluator."""
    incarnation: Count = 0
    """The newest one that was made."""
    failures: Count | None = None
    """How often it failed of its own accord; forgotten after a good while without one."""
    failed_at: Time | None = None
    """When it failed last."""
    failed_incarnation: Count | None = None
    """The newest one whose failure is among those counted."""
    finished: bool | None = None
    """Whether its work is done."""


class JobStatus(Record):
    """How a job stands."""

    observed_generation: Count | None = None
    """Generation of the job that this status speaks of."""
    state: State | None = None
    """The state in one word for people; programs read the conditions."""
    finished: bool | None = None
    """Whether the job is over, in success or failure."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            strict=False,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = ()
    """The aspects of the job's state, each type once."""
    start_time: Time | None = None
    """When the first pod was made; anew when the job is resumed."""
    began_time: Time | None = None
    """When training began; anew when the job is resumed."""
    completion_time: Time | None = None
    """When the job was over."""
    stop: Stop | None = None
    """Why training ends, once it does."""
    result: Result | None = None
    """The job's model, tested when training was over."""
    workers: WorkerCounts | None = None
    """The workers in numbers."""
    progress: Progress | None = None
    """How far training has come."""
    restarts: Count | None = None
    """How often a process of the job was started again."""
    failures: Annotated[tuple[Failure, ...], Field(strict=False, max_length=10)] = ()
    """The last ten failures, newest first."""
    launched: Launched | None = None
    """How many places for processes were ever filled."""
    ledger: Annotated[tuple[LedgerEntry, ...], Field(strict=False)] = ()
    """Ranks and shards that were replaced, failed or ended; all others are as at the start."""
