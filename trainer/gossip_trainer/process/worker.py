"""A worker from its start to its end.

It serves before it trains, begins when enough workers are up, trains to the end of the budget, and
then serves its final model until the evaluator has read it and lets it go. One that is late copies
a model; one that is told to leave ends after its step.
"""

import signal
import threading
import time
from contextlib import ExitStack, closing

from torch.optim import Optimizer

from gossip_api.environment import ProcessEnvironment
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.membership.peers import Peers
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.observability.event_log import EventSink
from gossip_trainer.observability.events import Began, Finished, Stopping
from gossip_trainer.observability.phase_clock import Phase
from gossip_trainer.process.arrival import (
    Wanted,
    arrive,
    ask_the_others,
    note_beginning,
)
from gossip_trainer.process.join import SEED, copy_the_others
from gossip_trainer.process.lobby import Lobby
from gossip_trainer.process.meeting import Meetings, Terms, timeout_of
from gossip_trainer.process.metrics.page import MetricsPage
from gossip_trainer.process.seat import Seat, take_seat
from gossip_trainer.process.standing import Standing
from gossip_trainer.process.task import Task
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.export import save_model
from gossip_trainer.training.boundary import StepBoundary
from gossip_trainer.training.collective import Collective
from gossip_trainer.training.ending import Limits
from gossip_trainer.training.links import Links, Publisher
from gossip_trainer.training.loop import rate_of, train
from gossip_trainer.training.news import News, drive
from gossip_trainer.training.observer import Observer, Observers
from gossip_trainer.training.optimizers import build_optimizer
from gossip_trainer.training.rank import algorithm_of
from gossip_trainer.training.reports import EventObserver
from gossip_trainer.training.trace import TracedAlgorithm, TracedPublisher, digest_of
from gossip_trainer.transport.wire import SnapshotHeader

RELEASE_SECONDS = 60.0  # without a sign of the evaluator for so long a finished worker goes
POLL_SECONDS = 0.05
NOBODY = ""  # whose model a worker has that is to copy one
MAX_TOLD = 3  # workers that hear a leaver's last count from itself


def run_worker(
    environment: ProcessEnvironment,
    task: Task,
    events: EventSink,
    standing: Standing,
    metrics: MetricsPage,
) -> None:
    """Train one rank's share of the job."""
    metrics.describe(task.job.spec)
    with ExitStack() as stack:
        news = News()
        lobby = Lobby.of(task.job.spec.strategy, environment, news.ring)
        seat = take_seat(
            stack, environment, task, events, standing, page=metrics, news=news, lobby=lobby
        )
        _wait_for_the_others(seat)
        model_from, step = _find_model(seat)
        if seat.is_late() and seat.network.progress.stop is not None:
            # The job ended while this process was on its way: there is nothing left to do.
            events.emit(Finished(step=0, samples=0, released=False))
            return
        meetings = None
        if lobby is not None:
            meetings = _open_meetings(seat, lobby, has_model=model_from == SEED)
            stack.enter_context(closing(meetings))
        else:
            _begin(seat, model_from, step)
        boundary = _train(seat, meetings, step)
        if boundary is not None:
            _end(seat, boundary)


def _wait_for_the_others(seat: Seat) -> dict[int, Endpoint]:
    """Wait until enough workers are up, or the job turns out to have begun."""
    spec = seat.task.job.spec
    return arrive(
        seat.network,
        Wanted(max(seat.environment.start_with, spec.workers.min_replicas), spec.num_shards),
        spec.run_policy.start_deadline,
        late=seat.is_late,
    )


def _find_model(seat: Seat) -> tuple[str, int]:
    """Return whose model the worker now has, and of which step: fresh ranks have the seed's."""
    environment, task, network = seat.environment, seat.task, seat.network
    from_seed = seat.is_first and not seat.is_late()
    if from_seed and environment.incarnation == 0:
        return SEED, 0
    seat.standing.phase = "Joining"
    if task.job.spec.strategy.uses_collective:
        return (SEED if from_seed else NOBODY), 0  # those it meets have more to give than a model
    return copy_the_others(
        network,
        task.model,
        num_shards=task.job.spec.num_shards,
        timeout=task.job.spec.run_policy.start_deadline,
        else_seed=from_seed,
    )


def _open_meetings(seat: Seat, lobby: Lobby, *, has_model: bool) -> Meetings:
    spec = seat.task.job.spec
    least = spec.workers.min_replicas
    terms = Terms(
        num_first=max(seat.environment.start_with, least),
        num_least=least,
        timeout=timeout_of(spec.strategy),
        start_deadline=spec.run_policy.start_deadline,
    )
    return Meetings(
        lobby,
        seat.network,
        terms,
        seat.events,
        has_model=has_model,
        on_met=seat.metrics.exchange_ended,
    )


def _begin(seat: Seat, model_from: str, step: int) -> None:
    """Open the own count and tell what the worker begins with."""
    environment, progress = seat.environment, seat.network.progress
    progress.begin(environment.rank, environment.incarnation, time.time())
    note_beginning(environment, seat.task.name)
    digest = digest_of(seat.task.model.vector)
    seat.events.emit(
        Began(model_from=model_from, step=step, job_samples=progress.samples, digest=digest)
    )
    if model_from == SEED:
        # Not before: a model that nobody trains yet would pull back those who do.
        seed = Iterate(seat.task.model.vector)
        seat.snapshots.publish(seed, SnapshotHeader(step=0, samples=0))
    seat.standing.phase = "Training"


def _train(seat: Seat, meetings: Meetings | None, first_step: int) -> StepBoundary | None:
    """Train to the end of the job, publish the final model; None if it never came to that."""
    task, progress, training = seat.task, seat.network.progress, seat.task.job.spec.training
    optimizer = build_optimizer(training.optimizer, [task.model.parameter])
    observer = EventObserver(seat.events, seat.network.server, optimizer, first_step=first_step)
    phases = seat.metrics.phases
    wait = phases.waiting(seat.news.wait)
    watchers = Observers(observer, seat.metrics)
    boundary = _boundary(seat, meetings, optimizer, watchers, first_step)
    _obey_signals(seat, boundary)
    if meetings is not None:
        if not drive(boundary.assemble(), wait):
            left = progress.stop is None
            seat.events.emit(Finished(step=0, samples=0, released=False, left=left))
            return None
        _begin(seat, meetings.donor or SEED, boundary.counters.steps)
    # Where workers meet at every step they also agree there on when to end.
    if progress.stop is None or meetings is not None:
        phases.start(Phase.DATA)
        train(
            task.model,
            optimizer,
            task.dataset,
            seat.batches,
            boundary,
            rate=rate_of(training, task.meter.total_epochs),
            wait=wait,
        )
    drive(boundary.finish(), wait)
    phases.stop()
    observer.report(boundary)
    if (stop := progress.stop) is not None:
        steps, samples = boundary.counters.steps, boundary.job_samples
        seat.events.emit(Stopping(reason=stop.reason, by=stop.by, step=steps, job_samples=samples))
    return boundary


def _boundary(
    seat: Seat,
    collective: Collective | None,
    optimizer: Optimizer,
    observer: Observer,
    first_step: int,
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
        collective=collective,
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


def _obey_signals(seat: Seat, boundary: StepBoundary) -> None:
    """SIGTERM ends this worker after its step, SIGINT the job for everyone."""

    def leave(_signal: int, _frame: object) -> None:
        seat.standing.phase = "Leaving"  # at once: nobody is to begin anything with it
        seat.leaving.set()
        boundary.leave()

    def interrupt(_signal: int, _frame: object) -> None:
        seat.network.progress.end(StopReason.INTERRUPTED, seat.task.name, time.time())

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, interrupt)


def _end(seat: Seat, boundary: StepBoundary) -> None:
    """Serve the final model until released; one that leaves only tells the others its count."""
    progress, steps = seat.network.progress, boundary.counters.steps
    left, released = boundary.has_left, False
    if left:
        ask_the_others(seat.network, MAX_TOLD)
    else:
        if not seat.leaving.is_set():
            seat.standing.phase = "Finished"
        released = _await_release(progress, seat.leaving)
        if not released and not seat.leaving.is_set():
            _save_own(seat)
    samples = progress.own_samples
    seat.events.emit(Finished(step=steps, samples=samples, released=released, left=left))


def _save_own(seat: Seat) -> None:
    final = seat.snapshots.pin()
    assert final is not None, "the final model is published before anyone waits for a release"
    model, name = seat.task.model, seat.task.name
    model.load_(final.vector)
    final.release()
    path = seat.environment.output / f"{name}.safetensors"
    save_model(model.module, path, {"member": name})


def _await_release(progress: JobProgress, leaving: threading.Event) -> bool:
    """Serve until the evaluator lets go; False if it has not been heard for too long."""
    finished = time.monotonic()
    while not progress.released:
        heard = max(finished, progress.evaluator_heard)
        if time.monotonic() - heard > RELEASE_SECONDS or leaving.wait(POLL_SECONDS):
            return False
    return True
