"""What every process of a job builds from the job document: data, model, identity, budget."""

from collections.abc import Callable
from dataclasses import dataclass

from gossip_api.environment import ProcessEnvironment
from gossip_api.job import GossipTrainingJob
from gossip_api.names import member_name
from gossip_trainer.data.dataset import Dataset
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.models.registry import build_model
from gossip_trainer.process.trial import try_model
from gossip_trainer.progress.budget import BudgetMeter
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.transport.fencing import Fence
from gossip_trainer.transport.identity import Identity


@dataclass(frozen=True, slots=True)
class Task:
    """One process's part in a job, built before it meets anybody."""

    job: GossipTrainingJob
    name: str  # the member's name
    dataset: Dataset
    model: FlatModel
    identity: Identity
    meter: BudgetMeter
    fence: Fence


def build_task(
    job: GossipTrainingJob,
    environment: ProcessEnvironment,
    on_replaced: Callable[[str], None] = lambda _successor: None,
) -> Task:
    """Build data and model; every process of a job gets the same initial model from its seed.

    `on_replaced` is called by any thread, once, when the process learns that another has its place.
    """
    training = job.spec.training
    dataset = load_dataset(training.data, training.seed)
    module = build_model(
        training.model,
        input_shape=dataset.input_shape,
        num_classes=dataset.num_classes,
        seed=training.seed,
    )
    try_model(training.model.name, module, dataset)
    model = FlatModel(module)
    name = member_name(environment.role, environment.rank, environment.incarnation)
    return Task(
        job=job,
        name=name,
        dataset=dataset,
        model=model,
        identity=Identity(
            job=environment.job_uid,
            member=name,
            digest=model.layout.digest(),
            num_bytes=model.layout.num_bytes,
        ),
        meter=BudgetMeter(
            training.budget,
            epoch_samples=dataset.num_examples,
            steps_samples=training.batch_size * job.spec.workers.replicas,
        ),
        fence=Fence(name, on_replaced),
    )
