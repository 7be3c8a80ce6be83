"""Every strategy as parts of a job document, for tests that hold for all of them.

An entry replaces `strategy`, `server` and parts of `training` in the spec of any job.
"""

from collections.abc import Mapping
from random import Random
from typing import Any

import torch
from in_memory import World
from torch import Tensor

from gossip_api.job import JobSpec
from gossip_trainer.algorithms.base import Algorithm, ServerAlgorithm
from gossip_trainer.algorithms.effects import Rank, Shard
from gossip_trainer.algorithms.registry import build_algorithm, build_server
from gossip_trainer.algorithms.shards import shard_slices
from gossip_trainer.algorithms.view import View, make_view
from gossip_trainer.replica.flat import iterate_over
from gossip_trainer.seeding import derive_seed

SGD = {"name": "sgd", "learningRate": 0.05}
NESTEROV = {"name": "sgd", "learningRate": 0.05, "momentum": 0.9, "nesterov": True}


def gossip(**settings: object) -> dict[str, Any]:
    return {"strategy": {"type": "Gossip", "gossip": settings}}


def elastic(optimizer: dict[str, Any], *, shards: int = 1, **settings: object) -> dict[str, Any]:
    return {
        "strategy": {"type": "ElasticAveraging", "elasticAveraging": settings},
        "server": {"shards": shards},
        "training": {"optimizer": optimizer},
    }


def parameter_server(**settings: object) -> dict[str, Any]:
    """Every gradient counts in full, so that the rate is to be lower the more workers there are."""
    return {
        "strategy": {"type": "ParameterServer", "parameterServer": settings},
        "server": {"shards": 1},
        "training": {"optimizer": {"name": "sgd", "learningRate": 0.02}},
    }


def local_sgd(**settings: object) -> dict[str, Any]:
    """Outer steps have momentum, so that local ones are to have none."""
    return {
        "strategy": {"type": "LocalSGD", "localSGD": {"period": 5, **settings}},
        "training": {"optimizer": SGD},
    }


STRATEGIES: dict[str, dict[str, Any]] = {
    "pull": gossip(exchange="Pull"),
    "pull-blocking": gossip(exchange="Pull", overlap=False),
    "pull-balanced-ring": gossip(
        exchange="Pull", selection="Balanced", topology={"type": "Ring"}, period=2
    ),
    "push": gossip(exchange="Push"),
    "pairwise": gossip(exchange="Pairwise"),
    "pairwise-blocking": gossip(exchange="Pairwise", overlap=False),
    "push-sum": gossip(exchange="PushSum"),
    "push-sum-exponential": gossip(exchange="PushSum", topology={"type": "Exponential"}),
    "elastic-averaging": elastic(SGD),
    "elastic-averaging-blocking-sharded": elastic(SGD, overlap=False, shards=2),
    "eamsgd": elastic(NESTEROV, period=4),
    "parameter-server": parameter_server(),
    "parameter-server-overlap": parameter_server(overlap=True),
    "parameter-server-bounded": parameter_server(maxStaleness=1),
    "all-reduce": {"strategy": {"type": "AllReduce", "allReduce": {"allowPlaintext": True}}},
    "local-sgd": local_sgd(allowPlaintext=True),
    "noloco": local_sgd(averaging="Gossip"),
}


def spec_of(name: str, *, workers: int, training: Mapping[str, object] | None = None) -> JobSpec:
    """Return the spec of a small job with a strategy; `training` replaces parts of its own."""
    parts = STRATEGIES[name]
    document = {
        "strategy": parts["strategy"],
        "workers": {"replicas": workers},
        "training": {
            "model": {"name": "mlp"},
            "data": {"name": "digits"},
            "optimizer": SGD,
            "budget": {"epochs": 1},
            "seed": 1,
            **parts.get("training", {}),
            **(training or {}),
        },
    }
    if "server" in parts:
        document["server"] = parts["server"]
    return JobSpec.model_validate(document)


def worker_of(
    spec: JobSpec, rank: int, view: View, size: int, *, incarnation: int = 0
) -> Algorithm:
    """Return a worker's algorithm of a job whose vector is all parameters."""
    stream = Random(derive_seed(spec.training.seed, "peers", rank, incarnation))
    return build_algorithm(spec, Rank(rank), view, stream, size=size, num_parameters=size)


def world_of(spec: JobSpec, points: Tensor, centre: Tensor | None = None) -> World:
    """Return the job's workers and servers; `points` are changed in place, `centre` is copied.

    Every vector is all parameters.
    """
    n, size = points.shape
    view = make_view(1, dict.fromkeys(range(n), 0))
    algorithms = [worker_of(spec, rank, view, size) for rank in range(n)]
    centre = points.mean(dim=0) if centre is None else centre
    parts = shard_slices(size, spec.num_shards) if spec.num_shards else {}
    servers = {
        shard: server_of(spec, shard, centre[part].clone(), view, size)
        for shard, part in parts.items()
    }
    return World(algorithms, points, servers, sgd_of(spec))


def server_of(spec: JobSpec, shard: Shard, part: Tensor, view: View, size: int) -> ServerAlgorithm:
    """Return a server with torch's SGD as the job has it."""
    parameter = torch.nn.Parameter(part)
    optimizer = torch.optim.SGD([parameter], **sgd_of(spec))

    def update(gradient: Tensor) -> None:
        parameter.grad = gradient.clone()
        optimizer.step()

    return build_server(
        spec,
        shard,
        part,
        size=size,
        num_parameters=size,
        update=update,
        centre_iterate=lambda: iterate_over(part, parameter, optimizer),
        view=view,
    )


def sgd_of(spec: JobSpec) -> dict[str, Any]:
    """Return the settings of the job's optimizer as torch's SGD has them."""
    optimizer = spec.training.optimizer
    return {
        "lr": optimizer.learning_rate,
        "momentum": optimizer.momentum,
        "nesterov": optimizer.nesterov,
        "weight_decay": optimizer.weight_decay,
    }
