"""A job for two workers and records of its run; times are seconds of training."""

import msgspec
import pytest

from gossip_api.job import GossipTrainingJob
from gossip_trainer.observability.events import (
    Began,
    Evaluation,
    Finished,
    Left,
    Progress,
    Started,
    Stopping,
)

BEGIN = 1_000_000.0


@pytest.fixture
def job():
    return GossipTrainingJob.model_validate(
        {
            "apiVersion": "gossip.training/v1alpha1",
            "kind": "GossipTrainingJob",
            "metadata": {"name": "digits"},
            "spec": {
                "strategy": {"type": "Gossip", "gossip": {"exchange": "Push"}},
                "workers": {"replicas": 2, "minReplicas": 1},
                "training": {
                    "model": {"name": "mlp"},
                    "data": {"name": "digits"},
                    "optimizer": {"name": "sgd", "learningRate": 0.1},
                    "budget": {"samples": 10_000},
                },
            },
        }
    )


class Records:
    """Makes records of workers, each given by its rank."""

    def started(self, rank=0, incarnation=0, *, at=0.0, status=""):
        return Started(
            time=BEGIN + at,
            source=f"worker-{rank}-{incarnation}",
            pid=1,
            address="127.0.0.1:1",
            status=status,
        )

    def began(self, rank=0, incarnation=0, *, at=0.0):
        source = f"worker-{rank}-{incarnation}"
        return Began(time=BEGIN + at, source=source, model_from="seed", step=0, job_samples=0)

    def progress(self, rank=0, *, at=1.0, **changes):
        sample = Progress(
            time=BEGIN + at,
            source=f"worker-{rank}-0",
            step=100,
            samples=1000,
            job_samples=2000,
            epoch=2.0,
            loss=0.5,
            learning_rate=0.1,
            samples_per_second=1000.0,
            exchanges=90,
            lost=0,
            skipped=4,
            staleness=1.5,
            received_bytes=9_000_000,
            sent_bytes=8_000_000,
            unpublished=0,
            peers=1,
        )
        return msgspec.structs.replace(sample, **changes)

    def evaluation(self, *, at=1.0, **changes):
        sample = Evaluation(
            time=BEGIN + at,
            source="evaluator-0-0",
            seconds=at,
            job_samples=2000,
            epoch=2.0,
            averaged=2,
            missed=(),
            loss=0.4,
            accuracy=0.9,
            consensus_distance=0.25,
            relative_consensus_distance=0.01,
            min_step=98,
            max_step=100,
            workers=(),
            final=False,
        )
        return msgspec.structs.replace(sample, **changes)

    def stopping(self, rank=0, *, at=5.0):
        return Stopping(
            time=BEGIN + at,
            source=f"worker-{rank}-0",
            reason="budget",
            by="worker-0-0",
            step=500,
            job_samples=10_000,
        )

    def finished(self, rank=0, *, at=5.5):
        source = f"worker-{rank}-0"
        return Finished(time=BEGIN + at, source=source, step=500, samples=5000, released=True)

    def left(self, rank=0, *, at=6.0, code=0):
        reason = "killed" if code else "ended well"
        return Left(
            time=BEGIN + at,
            source="launcher",
            member=f"worker-{rank}-0",
            exit_code=code,
            reason=reason,
        )


@pytest.fixture
def records():
    return Records()
