"""The job document: everything a user says about one training job."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gossip_api.checkpoint import Checkpoint
from gossip_api.evaluation import Evaluation, Evaluator
from gossip_api.monitoring import Monitoring
from gossip_api.names import JOB_NAME_MAX_LENGTH, JOB_NAME_PATTERN, Role
from gossip_api.network import Discovery, Security
from gossip_api.record import Record, Rule, StringMap
from gossip_api.run_policy import RunPolicy
from gossip_api.server import Server
from gossip_api.simulation import Simulation
from gossip_api.strategy import Strategy
from gossip_api.training import Training
from gossip_api.workers import MAX_WORKERS, Workers

POWERS_OF_TWO = tuple(2**exponent for exponent in range(MAX_WORKERS.bit_length()))

_PLAINTEXT = (
    "must be true under security.mutualTLS, because torch.distributed does not encrypt; set it "
    "where the network protects the job, or set security.mutualTLS to false"
)


FIXED = (
    "strategy",
    "workers.template",
    "workers.devicesPerWorker",
    "server",
    "training",
    "checkpoint",
    "evaluation",
    "evaluator",
    "discovery",
    "security",
    "monitoring.metricsPort",
)
"""What pods read only once, when they start, so that it may change only while there are none."""


class Metadata(Record):
    """Identity of the job."""

    ignored: ClassVar[frozenset[str]] = frozenset(
        {
            "creationTimestamp",
            "deletionGracePeriodSeconds",
            "deletionTimestamp",
            "finalizers",
            "generateName",
            "generation",
            "managedFields",
            "ownerReferences",
            "resourceVersion",
            "selfLink",
        }
    )

    name: Annotated[str, Field(max_length=JOB_NAME_MAX_LENGTH, pattern=JOB_NAME_PATTERN)]
    """A name of lower-case letters, digits and `-` that begins with a letter."""
    namespace: str = "default"
    """Kubernetes namespace of the job."""
    uid: str | None = None
    """Identity that the API server gives to the job."""
    labels: StringMap = Field(default_factory=dict)
    """Labels, for selecting jobs; `kueue.x-k8s.io/queue-name` has Kueue admit the pods."""
    annotations: StringMap = Field(default_factory=dict)
    """Annotations, for tools."""


class JobSpec(Record):
    """What the user wants."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="server",
            message="is only for strategy ElasticAveraging or ParameterServer; remove it or change "
            "strategy.type",
            holds=lambda spec: spec.server is None or spec.strategy.uses_server,
            cel="!has(self.server) "
            "|| self.strategy.type in ['ElasticAveraging', 'ParameterServer']",
        ),
        Rule(
            field="workers.replicas",
            message="must be a power of two for this topology with fallback false; change it, the "
            "topology or fallback",
            holds=lambda spec: (
                spec.strategy.gossip is None
                or spec.strategy.gossip.topology.fallback
                or spec.workers.replicas in POWERS_OF_TWO
            ),
            cel="!has(self.strategy.gossip) || !has(self.strategy.gossip.topology) "
            "|| !has(self.strategy.gossip.topology.fallback) "
            "|| self.strategy.gossip.topology.fallback "
            "|| !has(self.workers) || !has(self.workers.replicas) "
            f"|| self.workers.replicas in {list(POWERS_OF_TWO)}",
        ),
        Rule(
            field="training.batchSize",
            message="must be a multiple of workers.devicesPerWorker, which share every batch; "
            "change one of the two",
            holds=lambda spec: spec.training.batch_size % spec.workers.devices_per_worker == 0,
            cel="!has(self.workers) || !has(self.workers.devicesPerWorker) "
            "|| (has(self.training.batchSize) "
            "&& self.training.batchSize % self.workers.devicesPerWorker == 0) "
            "|| (!has(self.training.batchSize) && 32 % self.workers.devicesPerWorker == 0)",
        ),
        Rule(
            field="training.movingAverage",
            message="is not for strategy ElasticAveraging or ParameterServer, whose servers hold "
            "the job's model; remove it or change strategy.type",
            holds=lambda spec: (
                spec.training.moving_average is None or not spec.strategy.uses_server
            ),
            cel="!has(self.training.movingAverage) "
            "|| !(self.strategy.type in ['ElasticAveraging', 'ParameterServer'])",
        ),
        Rule(
            field="strategy.allReduce.allowPlaintext",
            message=_PLAINTEXT,
            holds=lambda spec: (
                spec.strategy.all_reduce is None
                or not spec.security.mutual_tls
                or spec.strategy.all_reduce.allow_plaintext
            ),
            cel="self.strategy.type != 'AllReduce' || !self.security.mutualTLS "
            "|| (has(self.strategy.allReduce) && has(self.strategy.allReduce.allowPlaintext) "
            "&& self.strategy.allReduce.allowPlaintext)",
        ),
        Rule(
            field="strategy.localSGD.allowPlaintext",
            message=_PLAINTEXT,
            holds=lambda spec: (
                spec.strategy.local_sgd is None
                or spec.strategy.local_sgd.averaging != "AllReduce"
                or not spec.security.mutual_tls
                or spec.strategy.local_sgd.allow_plaintext
            ),
            cel="self.strategy.type != 'LocalSGD' || !self.security.mutualTLS "
            "|| (has(self.strategy.localSGD) && ((has(self.strategy.localSGD.averaging) "
            "&& self.strategy.localSGD.averaging != 'AllReduce') "
            "|| (has(self.strategy.localSGD.allowPlaintext) "
            "&& self.strategy.localSGD.allowPlaintext)))",
        ),
        Rule(
            field="monitoring.metricsPort",
            message="must be neither discovery.port nor the one after it; change one of the two",
            holds=lambda spec: spec.monitoring.metrics_port - spec.discovery.port not in {0, 1},
            cel="!((self.monitoring.metricsPort - self.discovery.port) in [0, 1])",
        ),
        Rule(
            field="checkpoint",
            message="must be there, with writers All, for a restart in simulation.faults: without "
            "it nobody has anything to go on from; add it or remove the restart",
            holds=lambda spec: (
                spec.simulation is None
                or not spec.simulation.has_restarts
                or spec.resume_interval is not None
            ),
            cel="!has(self.simulation) || !has(self.simulation.faults) "
            "|| self.simulation.faults.all(fault, !has(fault.restart)) "
            "|| (has(self.checkpoint) && (!has(self.checkpoint.writers) "
            "|| self.checkpoint.writers == 'All'))",
        ),
    )

    suspend: bool = False
    """Whether the job rests: its pods are ended. Resumed, it goes on from its checkpoints; without
    `checkpoint` what was learned is lost. Most of the job may change only then."""
    strategy: Strategy
    """How workers share what they learn."""
    workers: Workers = Workers()
    """The workers, each of which trains a model of its own."""
    server: Server | None = None
    """The servers of ElasticAveraging and ParameterServer, which hold the job's model."""
    training: Training
    """What is trained, on what, by what, and for how long."""
    checkpoint: Checkpoint | None = None
    """What the job saves while it trains, so that it goes on where it was; nothing where left
    out."""
    evaluation: Evaluation = Evaluation()
    """How the workers' models are averaged and the average is tested."""
    evaluator: Evaluator = Evaluator()
    """The process that evaluates, in a pod of its own."""
    discovery: Discovery = Discovery()
    """How the job's pods find each other."""
    security: Security = Security()
    """How the job's pods trust each other."""
    monitoring: Monitoring = Monitoring()
    """How Prometheus watches the job."""
    run_policy: RunPolicy = RunPolicy()
    """When to give up, and what to leave behind."""
    simulation: Simulation | None = None
    """Machines, network and faults of `gossip simulate`; ignored by everything else."""

    @property
    def resume_interval(self) -> timedelta | None:
        """Time between two checkpoints of a worker; None where workers save none to go on from."""
        if self.checkpoint is None or not self.checkpoint.is_written_by(Role.WORKER):
            return None
        return self.checkpoint.every

    @property
    def num_shards(self) -> int:
        """How many servers there are; 0 for a strategy without one."""
        if not self.strategy.uses_server:
            return 0
        return 1 if self.server is None else self.server.shards


class GossipTrainingJob(Record):
    """Trains one neural network on workers that exchange models."""

    ignored: ClassVar[frozenset[str]] = frozenset({"status"})

    api_version: Literal["gossip.training/v1alpha1"]
    """Version of the document's format."""
    kind: Literal["GossipTrainingJob"]
    """Kind of the document."""
    metadata: Metadata
    """Identity of the job."""
    spec: JobSpec
    """What the user wants."""
