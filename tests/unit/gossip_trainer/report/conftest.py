"""Records of an invented run; every factory takes the fields that a test is about."""

from collections.abc import Callable

import msgspec
import pytest

from gossip_api.job import GossipTrainingJob
from gossip_trainer.observability.events import (
    Began,
    Evaluation,
    Finished,
    Left,
    Progress,
    Stopping,
    WorkerModel,
)

BEGIN = 1_000_000.0

Make = Callable[..., msgspec.Struct]


def factory(sample: msgspec.Struct) -> Make:
    """Return a function that makes records like `sample`; `at` is in seconds of training."""

    def make(*, at: float = 0.0, **changes: object) -> msgspec.Struct:
        return msgspec.structs.replace(sample, time=BEGIN + at, **changes)

    return make


@pytest.fixture
def began() -> Make:
    return factory(Began(source="worker-0-0", model_from="seed", step=0, job_samples=0))


@pytest.fixture
def progress() -> Make:
    return factory(
        Progress(
            source="worker-0-0",
            step=100,
            samples=3200,
            job_samples=6400,
            epoch=6.4,
            loss=0.5,
            learning_rate=0.1,
            samples_per_second=3200.0,
            exchanges=90,
            lost=0,
            skipped=4,
            staleness=1.5,
            received_bytes=9_000_000,
            sent_bytes=8_000_000,
            unpublished=0,
            peers=1,
        )
    )


@pytest.fixture
def evaluation() -> Make:
    return factory(
        Evaluation(
            source="evaluator-0-0",
            seconds=1.0,
            job_samples=6400,
            epoch=6.4,
            averaged=2,
            missed=(),
            loss=0.4,
            accuracy=0.9,
            consensus_distance=0.25,
            relative_consensus_distance=0.01,
            min_step=98,
            max_step=100,
            workers=(
                WorkerModel(member="worker-0-0", step=100, loss=0.5, accuracy=0.88),
                WorkerModel(member="worker-1-0", step=98, loss=None, accuracy=0.86),
            ),
            final=False,
        )
    )


@pytest.fixture
def stopping() -> Make:
    return factory(
        Stopping(source="worker-0-0", reason="budget", by="worker-0-0", step=100, job_samples=6400)
    )


@pytest.fixture
def finished() -> Make:
    return factory(Finished(source="worker-0-0", step=100, samples=3200, released=True))


@pytest.fixture
def left() -> Make:
    return factory(
        Left(source="launcher", member="worker-1-0", exit_code=-9, reason="killed by SIGKILL")
    )


@pytest.fixture
def job() -> Callable[..., GossipTrainingJob]:
    """Make a job for two workers; the arguments are parts of its `training`."""

    def make(**training: object) -> GossipTrainingJob:
        return GossipTrainingJob.model_validate(
            {
                "apiVersion": "gossip.training/v1alpha1",
                "kind": "GossipTrainingJob",
                "metadata": {"name": "digits"},
                "spec": {
                    "strategy": {"type": "Gossip"},
                    "workers": {"replicas": 2},
                    "training": {
                        "model": {"name": "mlp"},
                        "data": {"name": "digits"},
                        "optimizer": {"name": "sgd", "learningRate": 0.1},
                        "budget": {"samples": 6000},
                        **training,
                    },
                },
            }
        )

    return make
