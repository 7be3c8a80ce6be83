"""A training script's job, where the script is a part of the test."""

import signal
import sys

import pytest
import torch
import yaml


@pytest.fixture
def kept_process():
    """Keep this process's signal handlers and random numbers as they are."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    states = torch.get_rng_state()
    yield
    torch.set_rng_state(states)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def script_job(kept_process, tmp_path, monkeypatch):
    """Return what writes a job file, given the source of the function `build`, its model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "script_model", raising=False)

    def write(build, *, training=None, **spec):
        (tmp_path / "script_model.py").write_text(build)
        document = {
            "apiVersion": "gossip.training/v1alpha1",
            "kind": "GossipTrainingJob",
            "metadata": {"name": "script"},
            "spec": {
                "strategy": {"type": "ElasticAveraging"},
                "workers": {"replicas": 3},
                "training": {
                    "model": {"name": "script_model:build"},
                    "data": {"name": "digits"},
                    "batchSize": 8,
                    "optimizer": {"name": "sgd", "learningRate": 0.5},
                    "budget": {"stepsPerWorker": 12},
                    **(training or {}),
                },
                **spec,
            },
        }
        path = tmp_path / "job.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    return write
