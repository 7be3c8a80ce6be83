"""Real runs with compressed exchanges: the bytes that travel, and that a replay finds the same."""

import pytest
import torch

from gossip_api.compression import Compression
from gossip_api.loading import load_job
from gossip_trainer.compression.codec import message_bytes
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.models.registry import build_model
from gossip_trainer.observability.events import Progress
from gossip_trainer.replay.replay import replay
from gossip_trainer.replica.layout import layout_of

pytestmark = [pytest.mark.jobs, pytest.mark.timeout(240)]

FRAGMENTS = 4


def pull(kind, **settings):
    compression = {"type": kind, **settings}
    return {"type": "Gossip", "gossip": {"exchange": "Pull", "compression": compression}}


def elastic(kind):
    return {"type": "ElasticAveraging", "elasticAveraging": {"compression": {"type": kind}}}


RUNS = {
    "a quarter of the model over TCP": (pull("Partial", fragments=FRAGMENTS), False),
    "rounded over TCP": (pull("BFloat16"), False),
    "rounded by the reader of shared memory": (pull("BFloat16"), True),
    "differences in whole numbers": (elastic("Int8"), True),
}


@pytest.fixture(autouse=True)
def _threads():
    """A replay sets torch's number of threads; give it back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def layout_in(run):
    training = load_job(run.out / "job.yaml").spec.training
    dataset = load_dataset(training.data, training.seed)
    return layout_of(
        build_model(
            training.model,
            input_shape=dataset.input_shape,
            num_classes=dataset.num_classes,
            seed=training.seed,
        )
    )


def bytes_at_once(strategy, layout):
    """How many bytes an exchange is to bring."""
    member = strategy.get("gossip") or strategy.get("elasticAveraging")
    compression = Compression.model_validate(member["compression"])
    size = layout.size // FRAGMENTS if compression.type == "Partial" else layout.size
    return message_bytes(compression, size, layout.dtype)


@pytest.mark.parametrize("name", RUNS)
def test_an_exchange_brings_as_many_bytes_as_said_and_the_run_comes_out_the_same_to_the_bit(
    run_job, digits, name
):
    strategy, shared_memory = RUNS[name]
    job = digits(strategy=strategy, workers__replicas=2, training__budget={"stepsPerWorker": 150})
    if strategy["type"] == "ElasticAveraging":
        job["spec"]["server"] = {"shards": 1}

    run = run_job(job, trace=True, shared_memory=shared_memory)

    assert run.outcome.state == "succeeded", run.outcome.reason
    last = {record.source: record for record in run.of(Progress)}
    exchanges = sum(record.exchanges for record in last.values())
    received = sum(record.received_bytes for record in last.values())
    assert exchanges > 10
    assert received == exchanges * bytes_at_once(strategy, layout_in(run))
    assert replay(run.out).mismatches == ()
