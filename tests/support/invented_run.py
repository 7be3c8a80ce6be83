"""An invented run's event log and folder: every count in it is simple enough to be known.

Four workers train for ten seconds. Worker 3 makes a third of the others' steps, and worker 2 is
killed after six seconds and replaced after seven.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from gossip_trainer.observability.event_log import line_of
from gossip_trainer.observability.events import (
    Began,
    Evaluation,
    ExchangeLost,
    Finished,
    Left,
    Progress,
    Record,
    Replaced,
    Stopping,
    WorkerModel,
)

BEGIN = 1_795_000_000.0
SECONDS = 10
STEPS_PER_SECOND = (90, 90, 90, 30)
BATCH = 10
BYTES_PER_STEP = 1000
KILLED, REPLACED = 6, 7

JOB = """\
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata: {name: digits}
spec:
  strategy: {type: Gossip}
  workers: {replicas: 4, minReplicas: 2}
  training:
    model: {name: mlp}
    data: {name: digits}
    optimizer: {name: sgd, learningRate: 0.1}
    budget: {samples: 27000}
    target: {metric: accuracy, value: 0.9}
"""


def loss_at(seconds: float) -> float:
    """Return the loss that is told after so many seconds."""
    return 2.3 * math.exp(-seconds / 3)


def records_of_a_run() -> list[Record]:
    """Return all records, by time."""
    workers = [("worker-0-0", 0, 10), ("worker-1-0", 0, 10), ("worker-2-0", 0, KILLED)]
    workers += [("worker-3-0", 0, 10), ("worker-2-1", REPLACED, 10)]
    records = [each for name, begin, end in workers for each in _worker(name, begin, end)]
    records += [_evaluation(second) for second in range(1, SECONDS + 1)]
    killed = Left(
        time=BEGIN + KILLED,
        source="launcher",
        member="worker-2-0",
        exit_code=-9,
        reason="killed by SIGKILL",
    )
    replaced = Replaced(
        time=BEGIN + KILLED + 0.5, source="launcher", member="worker-2-1", instead_of="worker-2-0"
    )
    return sorted([*records, killed, replaced], key=lambda record: record.time)


def _worker(name: str, begin: int, end: int) -> Iterator[Record]:
    rank, incarnation = int(name.split("-")[1]), int(name.split("-")[2])
    pace = STEPS_PER_SECOND[rank]
    first = pace * begin
    model = "worker-0-0" if incarnation else "seed"
    at = BEGIN + begin
    yield Began(time=at, source=name, model_from=model, step=first, job_samples=first * BATCH)
    for second in range(begin + 1, end + 1):
        steps = pace * (second - begin)
        peer = f"worker-{(rank + second) % 4}-0"
        met = {peer: pace} if peer != f"worker-{rank}-0" else {}
        yield _progress(name, second, first, steps, met)
    if end == SECONDS:
        yield Stopping(
            time=BEGIN + end, source=name, reason="budget", by=name, step=first, job_samples=27000
        )
        samples = pace * BATCH * (end - begin)
        yield Finished(
            time=BEGIN + end, source=name, step=pace * end, samples=samples, released=True
        )
    yield ExchangeLost(
        time=at + 0.1,
        source=name,
        peer=f"worker-{(rank + 1) % 4}-0",
        step=first + 1,
        reason="has not published a snapshot yet",
    )


def _progress(name: str, second: int, first: int, steps: int, met: dict[str, int]) -> Progress:
    return Progress(
        time=BEGIN + second,
        source=name,
        step=first + steps,
        samples=steps * BATCH,
        job_samples=2700 * second,
        epoch=second / 2,
        loss=loss_at(second),
        learning_rate=0.1,
        samples_per_second=900.0,
        exchanges=steps,
        lost=1,
        skipped=0,
        staleness=0.5,
        received_bytes=steps * BYTES_PER_STEP,
        sent_bytes=steps * BYTES_PER_STEP,
        unpublished=0,
        peers=3,
        met=met,
    )


def _evaluation(second: int) -> Evaluation:
    accuracy = 1 - 0.9 * math.exp(-second / 3)
    return Evaluation(
        time=BEGIN + second,
        source="evaluator-0-0",
        seconds=float(second),
        job_samples=2700 * second,
        epoch=second / 2,
        averaged=4,
        missed=(),
        loss=loss_at(second),
        accuracy=accuracy,
        consensus_distance=2.0**-second,
        relative_consensus_distance=2.0**-second / 10,
        min_step=30 * second,
        max_step=90 * second,
        workers=tuple(
            WorkerModel(
                member=f"worker-{rank}-0",
                step=90 * second,
                loss=loss_at(second) * (1.1 + rank / 10),
                accuracy=accuracy * (0.99 - rank / 100),
            )
            for rank in range(2)
        ),
        final=second == SECONDS,
    )


def write_run(folder: Path, records: Iterable[Record], *, job: str = JOB) -> Path:
    """Write a run's folder as a run that was killed leaves it: without a summary."""
    folder.mkdir(parents=True)
    (folder / "job.yaml").write_text(job)
    (folder / "events.jsonl").write_bytes(b"".join(map(line_of, records)))
    return folder
