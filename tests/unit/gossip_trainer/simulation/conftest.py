"""A small job over generated data, and its simulation."""

import pytest

from gossip_api.job import GossipTrainingJob
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.simulation.simulator import Simulator


def merged(base, changes):
    out = dict(base)
    for key, value in changes.items():
        changes_a_part = isinstance(value, dict) and key in out and "name" not in value
        out[key] = merged(out[key], value) if changes_a_part else value
    return out


SPEC = {
    "strategy": {"type": "Gossip"},
    "workers": {"replicas": 4},
    "security": {"mutualTLS": False},
    "training": {
        "model": {"name": "mlp", "args": {"hidden": [8]}},
        "data": {
            "name": "synthetic",
            "args": {"examples": 240, "features": 6, "classes": 3},
        },
        "batchSize": 4,
        "optimizer": {
            "name": "sgd",
            "learningRate": 0.05,
            "momentum": 0.9,
            "nesterov": True,
        },
        "budget": {"stepsPerWorker": 10},
    },
    "evaluation": {"every": "1h"},
    "simulation": {
        "computeSeconds": {"mean": 1.0},
        "link": {"bandwidth": "8kbps", "latency": "10ms"},  # 1,000 bytes a second
    },
}
BLOCKING = {"type": "Gossip", "gossip": {"overlap": False}}
ALL_REDUCE = {"type": "AllReduce"}


def documents(blocking):
    """Return the documents of all kinds of strategies, by a name."""
    gossip = {
        exchange: {"type": "Gossip", "gossip": {"exchange": exchange, "overlap": not blocking}}
        for exchange in ("Pull", "Push", "Pairwise", "PushSum")
    }
    return gossip | {
        "ElasticAveraging": {
            "type": "ElasticAveraging",
            "elasticAveraging": {"period": 2, "overlap": not blocking},
        },
        "ParameterServer": {
            "type": "ParameterServer",
            "parameterServer": {"maxStaleness": 1, "overlap": not blocking},
        },
    }


STRATEGIES = (
    {f"{name}, blocking": document for name, document in documents(blocking=True).items()}
    | {f"{name}, overlapped": document for name, document in documents(blocking=False).items()}
    | {
        "AllReduce": ALL_REDUCE,
        "LocalSGD": {"type": "LocalSGD", "localSGD": {"period": 3}},
        "NoLoCo": {
            "type": "LocalSGD",
            "localSGD": {"period": 3, "averaging": "Gossip", "partnerDeadline": "2s"},
        },
    }
)


def changes_for(name):
    """Return what makes a job one of this strategy and, where it has servers, with two of them."""
    document = STRATEGIES[name]
    served = document["type"] in {"ElasticAveraging", "ParameterServer"}
    return {"strategy": document} | ({"server": {"shards": 2}} if served else {})


@pytest.fixture(params=STRATEGIES)
def any_strategy(request):
    return changes_for(request.param)


@pytest.fixture(params=[name for name in STRATEGIES if name not in {"AllReduce", "LocalSGD"}])
def resilient_strategy(request):
    return changes_for(request.param)


@pytest.fixture
def make_job():
    """Return a job that differs from the usual one by `changes` to its spec."""

    def make(**changes):
        spec = merged(SPEC, {k: v for k, v in changes.items() if k != "strategy"})
        spec["strategy"] = changes.get("strategy", SPEC["strategy"])
        if "budget" in changes.get("training", {}):
            spec["training"]["budget"] = changes["training"]["budget"]
        return GossipTrainingJob.model_validate(
            {
                "apiVersion": "gossip.training/v1alpha1",
                "kind": "GossipTrainingJob",
                "metadata": {"name": "small"},
                "spec": spec,
            }
        )

    return make


@pytest.fixture
def make_simulator(make_job):
    """Return the simulator of a job that differs by `changes`."""

    def make(**changes):
        job = make_job(**changes)
        training = job.spec.training
        return Simulator(job, load_dataset(training.data, training.seed))

    return make


@pytest.fixture
def blocking():
    return BLOCKING


@pytest.fixture
def all_reduce():
    return ALL_REDUCE
