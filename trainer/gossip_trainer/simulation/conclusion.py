"""From a simulation that is over to its result."""

from collections.abc import Sequence

import torch

from gossip_api.job import GossipTrainingJob
from gossip_trainer.simulation.evaluator import VirtualEvaluator
from gossip_trainer.simulation.result import Cost, Result, WorkerTotals
from gossip_trainer.simulation.worker import VirtualWorker
from gossip_trainer.simulation.world import World
from gossip_trainer.training.counters import Counters


def conclude(
    job: GossipTrainingJob,
    world: World,
    workers: Sequence[VirtualWorker],
    evaluator: VirtualEvaluator,
    wall_seconds: float,
) -> Result:
    """Put together what was found."""
    evaluations = tuple(evaluator.evaluations)
    stop = world.standing.stop
    return Result(
        job=job.metadata.name,
        strategy=job.spec.strategy.type,
        num_workers=job.spec.workers.replicas,
        seed=job.spec.training.seed,
        stop="steps" if stop is None else stop.reason.value,
        num_parameters=world.shared.layout.num_parameters,
        evaluations=evaluations,
        reached=next(filter(evaluator.meets_target, evaluations), None),
        stationary=evaluator.stationarity.result(),
        workers=tuple(map(_totals, workers)),
        cost=_cost(world, workers, wall_seconds),
    )


def _totals(worker: VirtualWorker) -> WorkerTotals:
    counters = Counters() if worker.boundary is None else worker.boundary.counters
    return WorkerTotals(
        member=worker.parts.endpoint.name,
        gone=worker.gone,
        steps=counters.steps,
        exchanges=counters.exchanges,
        heard=counters.heard,
        lost=counters.lost,
        skipped=counters.skipped,
        mean_staleness=(
            counters.staleness_sum / counters.num_stale if counters.num_stale else None
        ),
        received_bytes=counters.received_bytes,
        sent_bytes=counters.sent_bytes,
    )


def _cost(world: World, workers: Sequence[VirtualWorker], wall_seconds: float) -> Cost:
    by_activity = world.laps.seconds()
    vector_bytes = world.shared.layout.num_bytes
    snapshots = world.snapshots.allocated * vector_bytes
    return Cost(
        wall_seconds=wall_seconds,
        by_activity=by_activity,
        own_share=1.0 - sum(by_activity.values()) / wall_seconds,
        bytes_per_worker=(sum(map(_held_bytes, workers)) + snapshots) / len(workers),
    )


def _held_bytes(worker: VirtualWorker) -> int:
    """Return the bytes of a worker's vector and of its optimizer's state."""
    states = worker.parts.optimizer.state.values()
    tensors = [t for state in states for t in state.values() if isinstance(t, torch.Tensor)]
    return worker.parts.replica.model.vector.nbytes + sum(tensor.nbytes for tensor in tensors)
