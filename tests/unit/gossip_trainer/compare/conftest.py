"""A job to compare strategies of, and findings made up for its cells."""

import math
from pathlib import Path

import pytest
import yaml

from gossip_api.loading import parse_job
from gossip_trainer.compare.contestants import parse_contestants
from gossip_trainer.compare.plan import Grid, plan
from gossip_trainer.compare.records import Finding, Point
from gossip_trainer.compare.report import make_report

JOB = {
    "apiVersion": "gossip.training/v1alpha1",
    "kind": "GossipTrainingJob",
    "metadata": {"name": "small"},
    "spec": {
        "strategy": {"type": "Gossip"},
        "workers": {"replicas": 4, "minReplicas": 3},
        "training": {
            "model": {"name": "mlp", "args": {"hidden": [8]}},
            "data": {"name": "synthetic", "args": {"examples": 240, "features": 6, "classes": 3}},
            "batchSize": 8,
            "optimizer": {"name": "sgd", "learningRate": 0.1},
            "budget": {"stepsPerWorker": 30},
            "target": {"metric": "accuracy", "value": 0.8},
            "seed": 5,
        },
        "evaluation": {"every": "1s"},
        "simulation": {"computeSeconds": {"mean": 1.0}},
    },
}


def merged(base, changes):
    out = dict(base)
    for key, value in changes.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and key in out else value
    return out


@pytest.fixture
def load():
    """Return the `load` of a plan, over a job whose spec differs by `changes`."""

    def make(changes=None):
        spec = merged(JOB["spec"], changes or {})
        if "strategy" in (changes or {}):
            spec["strategy"] = changes["strategy"]
        if "budget" in (changes or {}).get("training", {}):
            spec["training"]["budget"] = changes["training"]["budget"]
        text = yaml.safe_dump(JOB | {"spec": spec})
        return lambda overrides=(): parse_job(text, overrides=overrides)

    return make


@pytest.fixture
def cells(load):
    """Return the cells of a grid."""

    def make(strategies="all-reduce,pull-gossip", changes=None, **grid):
        return plan(load(changes), Grid(contestants=parse_contestants(strategies), **grid))

    return make


@pytest.fixture
def found():
    """Return a finding whose accuracy reaches the target of 0.8 after `seconds`, or never."""

    def make(key, seconds, *, until=100.0, loss=1.0):
        def point(at, accuracy):
            return Point(
                seconds=at,
                samples=100 * at,
                steps=10 * at,
                received_bytes=1000 * at,
                accuracy=accuracy,
                loss=loss,
                consensus_distance=0.5,
            )

        reaches = math.isfinite(seconds)
        points = [point(0.0, 0.1), point(seconds, 0.8) if reaches else point(until, 0.7)]
        return Finding(
            key=key,
            points=tuple(points),
            stop="target" if reaches else "budget",
            wall_seconds=0.5,
        )

    return make


@pytest.fixture
def report(cells, found):
    """Return a report in which a cell takes as long as `seconds` of it says.

    `seconds(strategy, workers, seed, learning_rate)` is infinite for a cell that does not reach the
    target, and a string for one that fails.
    """

    def make(seconds, strategies="all-reduce,pull-gossip", **grid):
        grid = {"workers": (4, 16), "seeds": 3} | grid
        planned = cells(strategies, **grid)
        news = {}
        for cell in planned:
            took = seconds(cell.strategy, cell.workers, cell.seed - 5, cell.learning_rate)
            news[cell.key] = took if isinstance(took, str) else found(cell.key, took)
        return make_report(planned, news)

    return make


@pytest.fixture
def scratch(tmp_path) -> Path:
    return tmp_path / "out"
