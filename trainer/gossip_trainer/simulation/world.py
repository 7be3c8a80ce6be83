"""What all workers of one simulation share, and what each has for itself."""

from collections.abc import Callable
from dataclasses import dataclass

from torch.optim import Optimizer

from gossip_api.job import GossipTrainingJob
from gossip_api.training import Training
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import Shard
from gossip_trainer.data.dataset import Dataset
from gossip_trainer.data.stream import BatchStream
from gossip_trainer.membership.peers import Peers
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.progress.budget import BudgetMeter
from gossip_trainer.replica.initial import initial_model
from gossip_trainer.simulation.checkpoints import Checkpoints
from gossip_trainer.simulation.clock import Bell, Clock
from gossip_trainer.simulation.collective import Hall, VirtualCollective
from gossip_trainer.simulation.compute import StepSeconds
from gossip_trainer.simulation.exchange import VirtualExchange
from gossip_trainer.simulation.laps import Laps
from gossip_trainer.simulation.letters import VirtualLetters
from gossip_trainer.simulation.network import Network
from gossip_trainer.simulation.replica import Replica, SharedModule, Snapshots, VirtualPublisher
from gossip_trainer.simulation.server import VirtualServer
from gossip_trainer.simulation.standing import Standing, VirtualProgress
from gossip_trainer.training.ending import Limits
from gossip_trainer.training.gradient import GradientComputation
from gossip_trainer.training.observer import Observer
from gossip_trainer.training.schedules import rate_of


@dataclass(frozen=True, slots=True)
class World:
    """What all workers share.

    `hall` only where all workers meet, `servers` only where the strategy has some, `checkpoints`
    only where somebody will go on from them.
    """

    clock: Clock
    network: Network
    shared: SharedModule
    snapshots: Snapshots
    dataset: Dataset
    limits: Limits
    training: Training
    rate: Callable[[float, int], float]  # from job-wide epoch and live workers to the learning rate
    standing: Standing
    laps: Laps
    hall: Hall | None
    servers: tuple[VirtualServer, ...]
    checkpoints: Checkpoints | None

    @property
    def meter(self) -> BudgetMeter:
        """The job's budget."""
        return self.limits.meter


@dataclass(frozen=True, slots=True)
class Parts:
    """What one worker has for itself."""

    endpoint: Endpoint
    replica: Replica
    optimizer: Optimizer
    algorithm: Algorithm
    peers: Peers
    bell: Bell
    publisher: VirtualPublisher
    averages: VirtualPublisher  # of its moving average, where it has one
    exchange: VirtualExchange
    letters: VirtualLetters
    progress: VirtualProgress
    collective: VirtualCollective | None
    observer: Observer
    batches: BatchStream
    compute_gradient: GradientComputation
    step_seconds: StepSeconds


def build_world(job: GossipTrainingJob, dataset: Dataset) -> World:
    """Build what all workers share."""
    spec, training, simulation = job.spec, job.spec.training, job.spec.simulation
    assert simulation is not None
    module = initial_model(
        training, input_shape=dataset.input_shape, num_classes=dataset.num_classes
    )
    module.train()
    meter = BudgetMeter(
        training.budget,
        epoch_samples=dataset.num_examples,
        steps_samples=training.batch_size * spec.workers.replicas,
    )
    clock, shared, standing, laps = Clock(), SharedModule(module), Standing(), Laps()
    rate = rate_of(spec, meter.total_epochs)
    link = simulation.link
    network = Network(
        clock,
        bandwidth=link.bytes_per_second,
        latency=link.latency_seconds,
        duplex=link.duplex,
    )
    checkpoints = None
    if simulation.has_restarts and (every := spec.resume_interval) is not None:
        checkpoints = Checkpoints(every.total_seconds(), clock, standing)
    servers = tuple(
        VirtualServer(
            spec,
            Shard(index),
            shared=shared,
            standing=standing,
            learning_rate=lambda: rate(
                meter.epoch(standing.samples), len(standing.roster.workers())
            ),
            lap=laps.mixing,
            checkpoints=checkpoints,
        )
        for index in range(spec.num_shards)
    )
    for server in servers:
        standing.enter(server.endpoint)
    return World(
        clock=clock,
        network=network,
        shared=shared,
        snapshots=Snapshots(shared),
        dataset=dataset,
        limits=Limits(meter, spec.run_policy.active_deadline),
        training=training,
        rate=rate,
        standing=standing,
        laps=laps,
        hall=Hall(clock, network, spec.workers.replicas) if spec.strategy.uses_collective else None,
        servers=servers,
        checkpoints=checkpoints,
    )
