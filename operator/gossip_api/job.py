"""The job document: everything a user says about one training job."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gossip_api.evaluation import Evaluation
from gossip_api.names import JOB_NAME_MAX_LENGTH, JOB_NAME_PATTERN
from gossip_api.record import Record, Rule
from gossip_api.run_policy import RunPolicy
from gossip_api.server import Server
from gossip_api.simulation import Simulation
from gossip_api.strategy import Strategy
from gossip_api.training import Training
from gossip_api.workers import Workers

POWERS_OF_TWO = tuple(2**exponent for exponent in range(31))


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
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels, for selecting jobs."""
    annotations: dict[str, str] = Field(default_factory=dict)
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
    )

    strategy: Strategy
    """How workers share what they learn."""
    workers: Workers = Workers()
    """The workers, each of which trains a model of its own."""
    server: Server | None = None
    """The servers of ElasticAveraging and ParameterServer, which hold the job's model."""
    training: Training
    """What is trained, on what, by what, and for how long."""
    evaluation: Evaluation = Evaluation()
    """The evaluator: it averages the workers' models and tests the average."""
    run_policy: RunPolicy = RunPolicy()
    """When to give up."""
    simulation: Simulation | None = None
    """Machines, network and faults of `gossip simulate`; ignored by everything else."""

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
