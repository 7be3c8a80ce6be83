"""What a process of a job tells the operator: its status while it lives, its last words at the end.

The status is what `GET /status` answers on the metrics port. The last words are the container's
termination message, which Kubernetes keeps in the pod's status; both are small JSON objects.
"""

from typing import Annotated, Literal, Self

from pydantic import Field

from gossip_api.names import Role
from gossip_api.record import Record

Count = Annotated[int, Field(ge=0)]
Phase = Literal["Starting", "Waiting", "Joining", "Training", "Serving", "Finished", "Leaving"]

LAST_WORDS_LIMIT = 4096
"""Bytes that Kubernetes keeps of a termination message."""
REASON_LIMIT = 1024
MODEL_LIMIT = 1536


class Stop(Record):
    """Why the job as a whole ends; once there it stays."""

    reason: Literal["budget", "target", "deadline", "interrupted", "diverged"]
    """What ended it."""
    by: str
    """The member that said so first."""


class Score(Record):
    """The job's model, tested by the evaluator on held-out data."""

    loss: float | None = None
    """Loss; absent if it is not finite."""
    accuracy: float | None = None
    """Accuracy; absent if there are no classes."""
    consensus_distance: float | None = None
    """Root mean square distance of the workers' models from their mean."""
    job_samples: Count = 0
    """Samples of the whole job at that time."""
    epoch: float = 0.0
    """Job-wide epochs at that time."""


class ProcessStatus(Record):
    """How one process fares."""

    role: Annotated[Role, Field(strict=False)]
    """What the process does."""
    rank: Count
    """Rank of a worker, shard of a server, 0 for the evaluator."""
    incarnation: Count
    """How many processes had this role and rank before."""
    phase: Phase
    """What it is at. Starting: loads data and model. Waiting: for enough workers. Joining: copies a
    peer's model. Serving: a server or the evaluator at work. Finished: the budget is used up.
    Leaving: it was told to go."""
    step: Count = 0
    """Own optimizer steps, those of a copied model included; a server's version."""
    samples: Count = 0
    """Own training samples."""
    job_samples: Count = 0
    """Samples of the whole job, as far as the process knows."""
    epoch: float = 0.0
    """Job-wide epochs, as far as it knows."""
    fraction: Annotated[float, Field(ge=0, le=1)] | None = None
    """Used share of the budget, as far as it knows."""
    samples_per_second: float | None = None
    """Own training samples per second of late."""
    loss: float | None = None
    """Own training loss of late; absent if it is not finite."""
    peers: Count = 0
    """Other workers that it knows to live."""
    stop: Stop | None = None
    """Why the job ends, once it does."""
    score: Score | None = None
    """Of the evaluator: the newest test of the job's model."""


class LastWords(Record):
    """What a process leaves behind in its termination message."""

    step: Count = 0
    """Own optimizer steps; a server's version."""
    samples: Count = 0
    """Own training samples."""
    job_samples: Count = 0
    """Samples of the whole job, as far as the process knew."""
    finished: bool = False
    """Whether its work is done; false for one that was told to leave or failed."""
    released: bool = False
    """Whether the evaluator let it go after the result was safe."""
    stop: Stop | None = None
    """Why the job ended, if it did."""
    result: Score | None = None
    """Of the evaluator that concluded: the job's result."""
    model: Annotated[str, Field(max_length=MODEL_LIMIT)] | None = None
    """Of the evaluator that concluded: where it saved the job's model, a path or URL; absent if
    only its own folder has it."""
    reason: Annotated[str, Field(max_length=REASON_LIMIT)] | None = None
    """Why it failed, in one line."""

    def to_message(self) -> str:
        """Write the termination message."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def from_message(cls, message: str) -> Self | None:
        """Read a termination message; None for any other text, such as the end of a log."""
        try:
            return cls.model_validate_json(message)
        except ValueError:
            return None
