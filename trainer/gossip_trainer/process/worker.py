"""A worker from its start to its end.

It serves before it trains, begins when enough workers are up, trains to the end of the budget, and
then serves its final model until the evaluator has read it and lets it go.
"""

import os
import random
import signal
import time
from contextlib import ExitStack, closing
from pathlib import Path

import torch

from gossip_api.environment import ProcessEnvironment
from gossip_trainer.algorithms.effects import Rank
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.registry import build_algorithm
from gossip_trainer.data.sampler import ShardSampler, Share
from gossip_trainer.membership.peers import Peers
from gossip_trainer.observability.events import Began, EventSink, Finished, Started, Stopping
from gossip_trainer.process.join import copy_a_peer
from gossip_trainer.process.meeting import Meeting
from gossip_trainer.process.network import Network, open_network, wait_for_workers
from gossip_trainer.process.task import Task
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.export import save_model
from gossip_trainer.replica.snapshots import NUM_BUFFERS, Snapshots
from gossip_trainer.seeding import derive_seed
from gossip_trainer.training.boundary import Limits, Links, StepBoundary
from gossip_trainer.training.collective import Collective
from gossip_trainer.training.exchange import Exchange
from gossip_trainer.training.loop import rate_of, train
from gossip_trainer.training.optimizers import build_optimizer
from gossip_trainer.training.reports import EventObserver
from gossip_trainer.transport.shared import SharedClient, share_memory
from gossip_trainer.transport.wire import SnapshotHeader

RELEASE_SECONDS = 60.0  # without a sign of the evaluator for so long a finished worker goes
POLL_SECONDS = 0.05
SEED = "seed"


def run_worker(environment: ProcessEnvironment, task: Task, events: EventSink) -> None:
    """Train one rank's share of the job."""
    progress = JobProgress(time.monotonic)
    memory = (
        share_memory(task.identity, progress, num_buffers=NUM_BUFFERS)
        if environment.shared_memory
        else None
    )
    snapshots = Snapshots(task.model.layout, memory)
    if environment.incarnation == 0:
        # Whoever finds this worker finds a model: the seed's, which is everybody's first.
        snapshots.publish(Iterate(task.model.vector), SnapshotHeader(step=0, samples=0))
    with ExitStack() as stack:
        if memory is not None:
            stack.enter_context(closing(memory))
        meeting = Meeting.of(task.job.spec.strategy, environment)
        network = stack.enter_context(
            closing(
                open_network(
                    environment,
                    task.identity,
                    snapshots,
                    progress=progress,
                    store_port=meeting.store_port,
                    memory=memory.path if memory is not None else "",
                )
            )
        )
        host, port = network.endpoint.address
        events.emit(Started(pid=os.getpid(), address=f"{host}:{port}"))
        wanted = max(environment.start_with, task.job.spec.workers.min_replicas)
        deadline = task.job.spec.run_policy.start_deadline
        workers = wait_for_workers(network.roster, wanted, deadline)
        collective = stack.enter_context(meeting.join(environment.rank, workers))
        buffer = torch.zeros_like(task.model.vector)
        shared = SharedClient(task.identity, progress) if environment.shared_memory else None
        exchange = stack.enter_context(closing(Exchange(network.client, buffer, shared)))
        boundary = _train(environment, task, network, snapshots, exchange, collective, events)
        released = _await_release(network.progress)
        if not released:
            _save_own(task, snapshots, environment.output)
        events.emit(
            Finished(
                step=boundary.counters.steps,
                samples=network.progress.own_samples,
                released=released,
            )
        )


def _train(  # noqa: PLR0917 - the parts of a worker
    environment: ProcessEnvironment,
    task: Task,
    network: Network,
    snapshots: Snapshots,
    exchange: Exchange,
    collective: Collective | None,
    events: EventSink,
) -> StepBoundary:
    spec, training = task.job.spec, task.job.spec.training
    model_from, step = SEED, 0
    if environment.incarnation > 0:
        model_from, step = copy_a_peer(network, task.model, spec.run_policy.start_deadline)
    progress = network.progress
    progress.begin(environment.rank, environment.incarnation, time.time())
    events.emit(Began(model_from=model_from, step=step, job_samples=progress.samples))

    optimizer = build_optimizer(training.optimizer, [task.model.parameter])
    peers = Peers(environment.rank, environment.incarnation, network.roster)
    peers.refresh(time.monotonic())
    stream = random.Random(  # noqa: S311 - choosing peers needs a reproducible stream
        derive_seed(training.seed, "peers", environment.rank, environment.incarnation)
    )
    observer = EventObserver(events, network.server, optimizer, first_step=step)
    boundary = StepBoundary(
        task.name,
        algorithm=build_algorithm(spec.strategy, Rank(environment.rank), peers.view, stream),
        model=task.model,
        optimizer=optimizer,
        links=Links(snapshots, peers, exchange, progress, collective),
        limits=Limits(task.meter, spec.run_policy.active_deadline),
        observer=observer,
        first_step=step,
    )
    _obey_signals(boundary, progress, task.name)
    if progress.stop is None:
        train(
            task.model,
            optimizer,
            task.dataset,
            _batches(environment, task),
            boundary,
            rate=rate_of(training, task.meter.total_epochs),
        )
    boundary.finish()
    observer.report(boundary)
    if (stop := progress.stop) is not None:
        events.emit(
            Stopping(
                reason=stop.reason.value,
                by=stop.by,
                step=boundary.counters.steps,
                job_samples=boundary.job_samples,
            )
        )
    return boundary


def _batches(environment: ProcessEnvironment, task: Task) -> ShardSampler:
    training = task.job.spec.training
    return ShardSampler(
        task.dataset.train_targets,
        batch_size=training.batch_size,
        share=Share(environment.rank, max(task.job.spec.workers.replicas, environment.rank + 1)),
        sharding=training.data.sharding,
        seed=training.seed,
    )


def _obey_signals(boundary: StepBoundary, progress: JobProgress, name: str) -> None:
    """SIGTERM ends this worker after its step, SIGINT the job for everyone."""

    def leave(_signal: int, _frame: object) -> None:
        boundary.leave()

    def interrupt(_signal: int, _frame: object) -> None:
        progress.end(StopReason.INTERRUPTED, name, time.time())

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, interrupt)


def _save_own(task: Task, snapshots: Snapshots, folder: Path) -> None:
    final = snapshots.pin()
    assert final is not None, "the final model is published before anyone waits for a release"
    task.model.load_(final.vector)
    final.release()
    save_model(task.model.module, folder / f"{task.name}.safetensors", {"member": task.name})


def _await_release(progress: JobProgress) -> bool:
    """Serve until the evaluator lets go; False if it has not been heard for too long."""
    finished = time.monotonic()
    while not progress.released:
        heard = max(finished, progress.evaluator_heard)
        if time.monotonic() - heard > RELEASE_SECONDS:
            return False
        time.sleep(POLL_SECONDS)
    return True
