"""What a simulation found: frozen records and their JSON."""

import json
from dataclasses import asdict, dataclass, field

from gossip_trainer.simulation.stationarity import Stationary


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The job's model at one moment: the live workers' average or, with servers, the centre.

    Attributes:
        seconds: virtual, since training began.
        job_samples: of all workers by then.
        epoch: job-wide passes over the training set by then.
        job_steps: of all workers by then.
        received_bytes: model bytes that all workers together have received by then.
        averaged: how many models are in the average.
        loss: of the model, on held-out data; None if it is not finite.
        accuracy: of the model, on held-out data; None if there are no classes.
        consensus_distance: root of the models' mean squared distance from their average; None if it
            is not finite.
        mean_norm: Euclidean norm of the average; None if it is not finite.
        final: whether training was over.

    """

    seconds: float
    job_samples: int
    epoch: float
    job_steps: int
    received_bytes: float
    averaged: int
    loss: float | None
    accuracy: float | None
    consensus_distance: float | None
    mean_norm: float | None
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTotals:
    """What one worker process did.

    Attributes:
        member: which.
        gone: whether it crashed or left before the end.
        steps: its step number at the end; one that joined counts on from the model it copied.
        exchanges: own fetches and messages that ended well.
        heard: others' messages that were taken in.
        lost: own fetches and messages that came to nothing.
        skipped: exchanges not begun because the one before was still under way.
        mean_staleness: mean age in steps of the peers' models; None if there were none.
        received_bytes: model bytes.
        sent_bytes: model bytes of own messages.

    """

    member: str
    gone: bool
    steps: int
    exchanges: int
    heard: int
    lost: int
    skipped: int
    mean_staleness: float | None
    received_bytes: int
    sent_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the simulation itself took; the only part that differs from run to run.

    Attributes:
        wall_seconds: in all, less building data and model.
        by_activity: what real workers and a real evaluator compute as well: gradient, optimizer,
            mixing, publishing (writing x out) and evaluation.
        own_share: all the rest, over `wall_seconds`.
        bytes_per_worker: of model vectors: its own, the optimizer's and its part of the snapshots.

    """

    wall_seconds: float
    by_activity: dict[str, float]
    own_share: float
    bytes_per_worker: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One simulated job.

    Attributes:
        job: its name.
        strategy: its strategy's type.
        num_workers: at the start.
        seed: of the job.
        stop: why it ended: `budget`, `target`, or `steps` where each worker has its own.
        num_parameters: of the model, the gaps between its tensors included.
        evaluations: the time series; the last one is final.
        reached: the first evaluation that met the target; None if none did or there is none.
        stationary: how the model wandered in the second half.
        workers: every process there was, in the order in which they began.
        cost: not part of what is compared.

    """

    job: str
    strategy: str
    num_workers: int
    seed: int
    stop: str
    num_parameters: int
    evaluations: tuple[Evaluation, ...]
    reached: Evaluation | None
    stationary: Stationary
    workers: tuple[WorkerTotals, ...]
    cost: Cost = field(compare=False)

    @property
    def final(self) -> Evaluation:
        """The evaluation after the last step."""
        return self.evaluations[-1]

    @property
    def steps_per_worker(self) -> float:
        """Steps of all workers over the workers at the start."""
        return self.final.job_steps / self.num_workers

    @property
    def bytes_per_worker(self) -> float:
        """Model bytes received by all workers over the workers at the start."""
        return self.final.received_bytes / self.num_workers

    def as_json(self) -> dict[str, object]:
        """Return it for `json.dump`."""
        return asdict(self) | {
            "final": asdict(self.final),
            "steps_per_worker": self.steps_per_worker,
            "bytes_per_worker": self.bytes_per_worker,
        }


def to_json(results: list[Result]) -> bytes:
    """Write results as a JSON document."""
    document = {"results": [result.as_json() for result in results]}
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
