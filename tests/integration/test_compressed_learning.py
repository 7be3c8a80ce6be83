"""Jobs with compressed exchanges learn as much as without, in virtual time, over the same seeds."""

import statistics
from functools import cache

import pytest
import torch

from gossip_api.job import GossipTrainingJob
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.simulation.simulator import Simulator

pytestmark = [pytest.mark.jobs, pytest.mark.timeout(180)]

SEEDS = (1, 2, 3)
SAMPLES = 6400
POINTS = 0.02  # of accuracy

STRATEGIES = {
    "pull": ("Gossip", "gossip", {"exchange": "Pull"}),
    "pairwise": ("Gossip", "gossip", {"exchange": "Pairwise"}),
    "elastic averaging": ("ElasticAveraging", "elasticAveraging", {}),
}
COMPRESSED = {
    "pull, rounded": ("pull", {"type": "BFloat16"}, 2.0),
    "pull, a fragment of four": ("pull", {"type": "Partial"}, 4.0),
    "pairwise, rounded": ("pairwise", {"type": "BFloat16"}, 2.0),
    "elastic averaging, rounded": ("elastic averaging", {"type": "BFloat16"}, 2.0),
    "elastic averaging, whole numbers": ("elastic averaging", {"type": "Int8"}, 3.85),
}


def job(strategy, compression, seed):
    kind, member, settings = STRATEGIES[strategy]
    chosen = settings | ({"compression": compression} if compression else {})
    spec = {
        "strategy": {"type": kind, member: chosen},
        "security": {"mutualTLS": False},
        "workers": {"replicas": 4},
        "training": {
            "model": {"name": "mlp", "args": {"hidden": [32]}},
            "data": {"name": "fashion-mnist"},
            "batchSize": 32,
            "optimizer": {"name": "sgd", "learningRate": 0.05},
            "budget": {"samples": SAMPLES},
            "seed": seed,
        },
        "evaluation": {"every": "1h"},
        "simulation": {
            "computeSeconds": {"mean": 0.02, "jitter": 0.3},
            "link": {"bandwidth": "1Gbps", "latency": "100us"},
        },
    }
    if kind == "ElasticAveraging":
        spec["server"] = {"shards": 1}
    head = {"apiVersion": "gossip.training/v1alpha1", "kind": "GossipTrainingJob"}
    return GossipTrainingJob.model_validate(
        {**head, "metadata": {"name": "compressed"}, "spec": spec}
    )


@cache
def fashion_mnist():
    return load_dataset(job("pull", None, 1).spec.training.data, 1)


@cache
def learned(strategy, kind=None):
    """Accuracy of each seed, and the bytes that an exchange brings."""
    torch.set_num_threads(1)
    compression = None if kind is None else {"type": kind}
    results = [Simulator(job(strategy, compression, s), fashion_mnist()).run() for s in SEEDS]
    workers = [worker for result in results for worker in result.workers]
    came = sum(w.exchanges + w.heard for w in workers)
    return [r.final.accuracy for r in results], sum(w.received_bytes for w in workers) / came


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_job_learns_as_much_from_fewer_bytes(name):
    strategy, compression, fewer = COMPRESSED[name]
    plain, plain_bytes = learned(strategy)
    found, found_bytes = learned(strategy, compression["type"])
    print(name, [f"{a:.3f}" for a in plain], [f"{a:.3f}" for a in found])
    assert statistics.mean(plain) > 0.65
    assert statistics.mean(found) > statistics.mean(plain) - POINTS
    assert plain_bytes / found_bytes == pytest.approx(fewer, rel=0.01)
