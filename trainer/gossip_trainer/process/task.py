"""What every process of a job builds from the job document: data, model, identity, budget."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from gossip_api.environment import ProcessEnvironment
from gossip_api.job import GossipTrainingJob
from gossip_api.names import Role, member_name
from gossip_trainer.data.dataset import Dataset
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.errors import SessionError
from gossip_trainer.process.trial import try_model
from gossip_trainer.progress.budget import BudgetMeter
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.replica.initial import initial_model
from gossip_trainer.replica.layout import Layout
from gossip_trainer.replica.placement import HOST, devices_of, num_gpus, settle_on
from gossip_trainer.transport.fencing import Fence
from gossip_trainer.transport.identity import Identity


@dataclass(frozen=True, slots=True)
class Task:
    """One process's part in a job, built before it meets anybody."""

    job: GossipTrainingJob
    name: str  # the member's name
    dataset: Dataset
    model: FlatModel
    devices: tuple[torch.device, ...]  # that the process computes on; the model is on the first
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
    module = initial_model(
        training, input_shape=dataset.input_shape, num_classes=dataset.num_classes
    )
    try_model(training.model.name, module, dataset)
    devices = _devices(job, environment)
    settle_on(devices[0])
    model = FlatModel(module.to(devices[0]))
    name = member_name(environment.role, environment.rank, environment.incarnation)
    return Task(
        job=job,
        name=name,
        dataset=dataset,
        model=model,
        devices=devices,
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


def _devices(job: GossipTrainingJob, environment: ProcessEnvironment) -> tuple[torch.device, ...]:
    if environment.role is not Role.WORKER:
        return (HOST,)
    return devices_of(environment.rank, job.spec.workers.devices_per_worker, num_gpus())


def with_model(task: Task, module: nn.Module) -> Task:
    """Return the task with a script's own module in the place of the job's, at the same values.

    Raises:
        SessionError: the two do not have the same tensors.

    """
    if task.job.spec.workers.devices_per_worker > 1:
        raise SessionError(
            f"spec.workers.devicesPerWorker: {task.job.spec.workers.devices_per_worker}, but a "
            "script computes on one device; leave it out, and have more workers instead"
        )
    model = FlatModel(module)
    settle_on(model.vector.device)  # where the script put it, not where the job would have
    if model.layout.digest() != task.model.layout.digest():
        raise SessionError(
            f"the script's model is not spec.training.model "
            f"{task.job.spec.training.model.name}: {_difference(task.model.layout, model.layout)}; "
            "build both by the same callable, for the evaluator builds the job's"
        )
    model.load_(task.model.vector)
    return replace(task, model=model, devices=(model.vector.device,))


def _difference(wanted: Layout, found: Layout) -> str:
    """Say in words where two layouts first differ."""
    shapes = {entry.name: list(entry.shape) for entry in found.entries}
    for entry in wanted.entries:
        if entry.name not in shapes:
            return f"it has no tensor {entry.name}"
        if shapes[entry.name] != list(entry.shape):
            return f"{entry.name} is {shapes[entry.name]} instead of {list(entry.shape)}"
    known = {entry.name for entry in wanted.entries}
    more = [name for name in shapes if name not in known]
    if more:
        return f"it also has {more[0]}"
    return "the same tensors differ in order, in type, or in which of them are trained"
