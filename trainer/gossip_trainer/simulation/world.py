"""What all workers of one simulation share, and what each has for itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor
from torch.optim import Optimizer

from gossip_api.job import GossipTrainingJob
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.data.dataset import Dataset
from gossip_trainer.membership.peers import Peers
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.models.registry import build_model
from gossip_trainer.progress.budget import BudgetMeter
from gossip_trainer.simulation.clock import Clock
from gossip_trainer.simulation.collective import VirtualCollective
from gossip_trainer.simulation.compute import StepSeconds
from gossip_trainer.simulation.exchange import VirtualExchange
from gossip_trainer.simulation.network import Network
from gossip_trainer.simulation.replica import Replica, SharedModule, Snapshots
from gossip_trainer.simulation.standing import Laps, Standing
from gossip_trainer.training.loop import rate_of


@dataclass(frozen=True, slots=True)
class World:
    """What all workers share; `collective` only where the strategy needs one."""

    clock: Clock
    network: Network
    shared: SharedModule
    snapshots: Snapshots
    dataset: Dataset
    meter: BudgetMeter
    rate: Callable[[float], float]  # from the job-wide epoch to the learning rate
    standing: Standing
    laps: Laps
    collective: VirtualCollective | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What one worker has for itself."""

    endpoint: Endpoint
    replica: Replica
    optimizer: Optimizer
    algorithm: Algorithm
    peers: Peers
    exchange: VirtualExchange
    batches: Iterator[Tensor]
    step_seconds: StepSeconds


def build_world(job: GossipTrainingJob, dataset: Dataset) -> World:
    """Build what all workers share."""
    spec, training, simulation = job.spec, job.spec.training, job.spec.simulation
    assert simulation is not None
    module = build_model(
        training.model,
        input_shape=dataset.input_shape,
        num_classes=dataset.num_classes,
        seed=training.seed,
    )
    module.train()
    meter = BudgetMeter(
        training.budget,
        epoch_samples=dataset.num_examples,
        steps_samples=training.batch_size * spec.workers.replicas,
    )
    clock, shared = Clock(), SharedModule(module)
    link = simulation.link
    network = Network(clock, bandwidth=link.bytes_per_second, latency=link.latency_seconds)
    meets = spec.strategy.all_reduce is not None
    return World(
        clock=clock,
        network=network,
        shared=shared,
        snapshots=Snapshots(shared),
        dataset=dataset,
        meter=meter,
        rate=rate_of(training, meter.total_epochs),
        standing=Standing(),
        laps=Laps(),
        collective=VirtualCollective(clock, network, spec.workers.replicas) if meets else None,
    )
