"""Traced runs to replay."""

import pytest
from traced_simulation import TracedSimulator

from gossip_api.job import GossipTrainingJob


def make_job(strategy, *, server=None, simulation=None, budget=None):
    spec = {
        "strategy": strategy,
        "security": {"mutualTLS": False},
        "workers": {"replicas": 4},
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
            "schedule": {"name": "step", "milestones": [0.3], "gamma": 0.5},
            "budget": budget or {"stepsPerWorker": 10},
        },
        "simulation": {
            "computeSeconds": {"mean": 1.0, "jitter": 0.5},
            "link": {"bandwidth": "10kbps"},
        }
        | (simulation or {}),
    }
    return GossipTrainingJob.model_validate(
        {
            "apiVersion": "gossip.training/v1alpha1",
            "kind": "GossipTrainingJob",
            "metadata": {"name": "traced"},
            "spec": spec | ({"server": server} if server else {}),
        }
    )


@pytest.fixture
def traced_run(tmp_path):
    """Simulate a job; return the directory of what could be its real, traced run, and its result.

    Virtual time decides what arrives when.
    """

    def run(strategy, **settings):
        simulator = TracedSimulator(make_job(strategy, **settings), tmp_path)
        result = simulator.run()
        simulator.leave_job()
        return tmp_path, result

    return run
