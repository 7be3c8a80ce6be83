"""A worker from its start to its end.

It serves before it trains, begins when enough workers are up, trains to the end of the budget, and
then serves its final model until the evaluator has read it and lets it go.
"""

import os
import signal
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass

import torch
from torch.optim import Optimizer

from gossip_api.environment import ProcessEnvironment
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.data.sampler import ShardSampler
from gossip_trainer.membership.peers import Peers
from gossip_trainer.observability.events import Began, EventSink, Finished, Started, Stopping
from gossip_trainer.process.join import copy_the_others
from gossip_trainer.process.meeting import Meeting
from gossip_trainer.process.network import Network, open_network, wait_for
from gossip_trainer.process.task import Task
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.export import save_model
from gossip_trainer.replica.snapshots import NUM_BUFFERS, Snapshots
from gossip_trainer.training.boundary import StepBoundary
from gossip_trainer.training.collective import Collective
from gossip_trainer.training.ending import Limits
from gossip_trainer.training.exchange import Exchange
from gossip_trainer.training.letters import MailboxLetters
from gossip_trainer.training.links import Links, Publisher
from gossip_trainer.training.loop import rate_of, train
from gossip_trainer.training.news import News, drive
from gossip_trainer.training.optimizers import build_optimizer
from gossip_trainer.training.rank import algorithm_of, batches_of
from gossip_trainer.training.reports import EventObserver
from gossip_trainer.training.trace import TracedAlgorithm, TracedPublisher
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.shared import SharedClient, share_memory
from gossip_trainer.transport.wire import SnapshotHeader

RELEASE_SECONDS = 60.0  # without a sign of the evaluator for so long a finished worker goes
POLL_SECONDS = 0.05
MAX_LETTERS = 8  # messages of peers that may lie here at once, each of the model's size
SEED = "seed"


@dataclass(frozen=True, slots=True)
class Seat:
    """A worker's place in its job: what it was given, and its ways to the others."""

    environment: ProcessEnvironment
    task: Task
    events: EventSink
    news: News
    snapshots: Snapshots
    network: Network
    exchange: Exchange
    letters: MailboxLetters
    collective: Collective | None
    batches: ShardSampler


def run_worker(environment: ProcessEnvironment, task: Task, events: EventSink) -> None:
    """Train one rank's share of the job."""
    with ExitStack() as stack:
        seat = _take_seat(stack, environment, task, events)
        boundary = _train(seat)
        progress = seat.network.progress
        released = _await_release(progress)
        if not released:
            _save_own(seat)
        steps, samples = boundary.counters.steps, progress.own_samples
        events.emit(Finished(step=steps, samples=samples, released=released))


def _take_seat(
    stack: ExitStack, environment: ProcessEnvironment, task: Task, events: EventSink
) -> Seat:
    """Serve, become known, and wait until enough workers are up."""
    batches = batches_of(
        task.job.spec, environment.rank, task.dataset
    )  # first: a share may be empty
    progress = JobProgress(time.monotonic)
    memory, reader = None, None
    if environment.shared_memory:
        memory = share_memory(task.identity, progress, num_buffers=NUM_BUFFERS)
        reader = SharedClient(task.identity, progress)
    if memory is not None:
        stack.enter_context(closing(memory))
    snapshots = Snapshots(task.model.layout, memory)
    if environment.incarnation == 0:
        # Whoever finds this worker finds a model: the seed's, which is everybody's first.
        snapshots.publish(Iterate(task.model.vector), SnapshotHeader(step=0, samples=0))
    meeting, news = Meeting.of(task.job.spec.strategy, environment), News()
    mailbox = Mailbox(task.identity.num_bytes, capacity=MAX_LETTERS, on_news=news.ring)
    network = open_network(
        environment,
        task.identity,
        snapshots,
        progress=progress,
        mailbox=mailbox,
        store_port=meeting.store_port,
        memory=memory.path if memory is not None else "",
    )
    stack.enter_context(closing(network))
    host, port = network.endpoint.address
    events.emit(Started(pid=os.getpid(), address=f"{host}:{port}"))
    wanted = max(environment.start_with, task.job.spec.workers.min_replicas)
    deadline = task.job.spec.run_policy.start_deadline
    workers = wait_for("workers", lambda: network.roster().workers(), wanted, deadline)
    num_shards = task.job.spec.num_shards
    wait_for("servers", lambda: network.roster().servers(), num_shards, deadline)
    collective = stack.enter_context(meeting.join(environment.rank, workers))
    exchange = Exchange(
        network.client,
        torch.zeros_like(task.model.vector),
        locate=lambda party: network.roster().find(party),
        started=time.time_ns(),
        on_news=news.ring,
        shared=reader,
    )
    stack.enter_context(closing(exchange))
    return Seat(
        environment=environment,
        task=task,
        events=events,
        news=news,
        snapshots=snapshots,
        network=network,
        exchange=exchange,
        letters=MailboxLetters(mailbox, task.model.layout.dtype),
        collective=collective,
        batches=batches,
    )


def _train(seat: Seat) -> StepBoundary:
    """Begin with the right model, train to the end of the job, publish the final model."""
    task, progress, training = seat.task, seat.network.progress, seat.task.job.spec.training
    first_step = _begin(seat)
    optimizer = build_optimizer(training.optimizer, [task.model.parameter])
    observer = EventObserver(seat.events, seat.network.server, optimizer, first_step=first_step)
    boundary = _boundary(seat, optimizer, observer, first_step)
    _obey_signals(boundary, progress, task.name)
    # Where workers meet at every step they also agree there on when to end.
    if progress.stop is None or seat.collective is not None:
        train(
            task.model,
            optimizer,
            task.dataset,
            seat.batches,
            boundary,
            rate=rate_of(training, task.meter.total_epochs),
            wait=seat.news.wait,
        )
    drive(boundary.finish(), seat.news.wait)
    observer.report(boundary)
    if (stop := progress.stop) is not None:
        steps, samples = boundary.counters.steps, boundary.job_samples
        seat.events.emit(Stopping(reason=stop.reason, by=stop.by, step=steps, job_samples=samples))
    return boundary


def _begin(seat: Seat) -> int:
    """Open the own count; a replacement copies a peer's model first. Returns the model's step."""
    environment, network = seat.environment, seat.network
    model_from, step = SEED, 0
    if environment.incarnation > 0:
        deadline = seat.task.job.spec.run_policy.start_deadline
        model_from, step = copy_the_others(
            network, seat.task.model, num_shards=seat.task.job.spec.num_shards, timeout=deadline
        )
    network.progress.begin(environment.rank, environment.incarnation, time.time())
    samples = network.progress.samples
    seat.events.emit(Began(model_from=model_from, step=step, job_samples=samples))
    return step


def _boundary(
    seat: Seat, optimizer: Optimizer, observer: EventObserver, first_step: int
) -> StepBoundary:
    environment, task, spec = seat.environment, seat.task, seat.task.job.spec
    peers = Peers(environment.rank, environment.incarnation, seat.network.roster)
    peers.refresh(time.monotonic())
    algorithm = algorithm_of(
        spec,
        environment.rank,
        environment.incarnation,
        view=peers.view,
        layout=task.model.layout,
    )
    snapshots: Publisher = seat.snapshots
    if environment.trace:
        algorithm = TracedAlgorithm(algorithm, seat.events)
        snapshots = TracedPublisher(snapshots, optimizer, seat.events)
    links = Links(
        snapshots=snapshots,
        peers=peers,
        exchange=seat.exchange,
        letters=seat.letters,
        progress=seat.network.progress,
        collective=seat.collective,
    )
    return StepBoundary(
        task.name,
        algorithm=algorithm,
        model=task.model,
        optimizer=optimizer,
        links=links,
        limits=Limits(task.meter, spec.run_policy.active_deadline),
        observer=observer,
        first_step=first_step,
        patience=spec.run_policy.start_deadline,
    )


def _obey_signals(boundary: StepBoundary, progress: JobProgress, name: str) -> None:
    """SIGTERM ends this worker after its step, SIGINT the job for everyone."""

    def leave(_signal: int, _frame: object) -> None:
        boundary.leave()

    def interrupt(_signal: int, _frame: object) -> None:
        progress.end(StopReason.INTERRUPTED, name, time.time())

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, interrupt)


def _save_own(seat: Seat) -> None:
    final = seat.snapshots.pin()
    assert final is not None, "the final model is published before anyone waits for a release"
    model, name = seat.task.model, seat.task.name
    model.load_(final.vector)
    final.release()
    path = seat.environment.output / f"{name}.safetensors"
    save_model(model.module, path, {"member": name})


def _await_release(progress: JobProgress) -> bool:
    """Serve until the evaluator lets go; False if it has not been heard for too long."""
    finished = time.monotonic()
    while not progress.released:
        heard = max(finished, progress.evaluator_heard)
        if time.monotonic() - heard > RELEASE_SECONDS:
            return False
        time.sleep(POLL_SECONDS)
    return True
