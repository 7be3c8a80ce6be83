"""A worker from its start to its end, around whatever loop trains it.

It serves before it trains, begins when enough workers are up, trains to the end of the budget, and
then serves its final model until the evaluator has read it and lets it go. One that is late copies
a model; one whose whole job was lost goes on from its own checkpoint; one that is told to leave
saves its state and ends after its step.
"""

import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch.optim import Optimizer

from gossip_trainer.errors import SessionError
from gossip_trainer.membership.peers import Peers
from gossip_trainer.observability.events import Began, Finished, Stopping
from gossip_trainer.observability.phase_clock import Phase
from gossip_trainer.process.arrival import ask_the_others, note_beginning
from gossip_trainer.process.join import SEED
from gossip_trainer.process.lobby import Lobby
from gossip_trainer.process.meeting import Meetings
from gossip_trainer.process.memory import Memory
from gossip_trainer.process.release import await_release, save_own
from gossip_trainer.process.remembering import open_memory
from gossip_trainer.process.seat import Seat, take_seat
from gossip_trainer.process.shell import Shell
from gossip_trainer.process.start import OWN, Start, find_start, open_meetings, wait_for_the_others
from gossip_trainer.process.task import Task
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.seeding import derive_seed
from gossip_trainer.training.boundary import StepBoundary
from gossip_trainer.training.collective import Collective
from gossip_trainer.training.ending import Limits
from gossip_trainer.training.links import Links, Publisher
from gossip_trainer.training.moving_average import average_of
from gossip_trainer.training.news import News, drive
from gossip_trainer.training.observer import Observer, Observers
from gossip_trainer.training.optimizers import build_optimizer
from gossip_trainer.training.rank import algorithm_of
from gossip_trainer.training.reports import EventObserver
from gossip_trainer.training.schedules import rate_of
from gossip_trainer.training.stepper import Stepper, StepRules
from gossip_trainer.training.trace import TracedAlgorithm, TracedPublisher, digest_of

CUT_SHORT: Final = frozenset({StopReason.INTERRUPTED, StopReason.DEADLINE})
MAX_TOLD: Final = 3  # workers that hear a leaver's last count from itself


@dataclass(frozen=True, slots=True)
class Part:
    """A worker's part in a job, while it trains.

    Attributes:
        stepper: takes its steps.
        optimizer: moves its model.
        boundary: what it tells the others.
        memory: what it saves; None where nothing is.
        saved: what it saved itself before this process, if it did.
        random: where the streams of random numbers go on, if that was saved.
        was_late: whether others trained before this process came.
        live_ranks: tells which workers there are.
        after_step: to be called after every step once the loop's body is through with it.

    """

    stepper: Stepper
    optimizer: Optimizer
    boundary: StepBoundary
    memory: Memory | None
    saved: dict[str, Any] | None
    random: Mapping[str, Any] | None
    was_late: bool
    live_ranks: Callable[[], Collection[int]]
    after_step: Callable[[], None]

    @property
    def num_missed(self) -> int:
        """How many of its batches the worker has to pass over.

        Where all step together, and all go on from what they saved, one that saved earlier than the
        others copies them. The steps in between were its steps as well, with batches of its own.
        """
        if self.saved is None or self.was_late or not self.boundary.averages_gradients:
            return 0
        return max(0, self.boundary.counters.steps - int(self.saved["worker"]["steps"]))


@contextmanager
def take_part(
    shell: Shell, task: Task, optimizer: Optimizer | None = None, *, alone: bool = False
) -> Iterator[Part | None]:
    """Take part in the job; the body trains. None if the job ended before it came to that.

    Args:
        shell: of the process.
        task: with the model that is trained.
        optimizer: of the model's parameters; the job's own is built where left out.
        alone: whether no evaluator and no other worker will ever come.

    """
    shell.metrics.describe(task.job.spec)
    with ExitStack() as stack:
        news = News()
        lobby = Lobby.of(task.job.spec.strategy, shell.environment, news.ring)
        seat = take_seat(stack, shell, task, news=news, lobby=lobby)
        memory = open_memory(stack, shell, seat)
        wait_for_the_others(seat)
        start = find_start(seat, memory)
        if seat.is_late() and seat.network.progress.stop is not None:
            # The job ended while this process was on its way: there is nothing left to do.
            seat.events.emit(Finished(step=0, samples=0, released=False))
            yield None
            return
        meetings = None
        if lobby is not None:
            has_model = start.model_from in {SEED, OWN}
            meetings = open_meetings(seat, lobby, has_model=has_model)
            stack.enter_context(closing(meetings))
        worker = _Worker(seat, start, memory, optimizer, meetings)
        stack.enter_context(_obeying_signals(seat, worker.part.boundary))
        if not worker.begin():
            yield None
            return
        yield worker.part
        worker.check_trained()
        worker.finish()
        worker.end(alone=alone)


class _Worker:
    """A worker that knows what it begins with."""

    def __init__(
        self,
        seat: Seat,
        start: Start,
        memory: Memory | None,
        optimizer: Optimizer | None,
        meetings: Meetings | None,
    ) -> None:
        task, spec = seat.task, seat.task.job.spec
        self._seat = seat
        self._start = start
        self._memory = memory
        self._meetings = meetings
        self._progress = seat.network.progress
        self._has_saved_early = False
        self._wait = seat.metrics.phases.waiting(seat.news.wait)
        rate, self._settings = None, list[dict[str, Any]]()
        if optimizer is None:
            optimizer = build_optimizer(
                spec.training.optimizer,
                [task.model.parameter],
                num_weights=task.model.layout.num_weights,
            )
            rate = rate_of(spec, task.meter.total_epochs)
            self._settings = [_settings_of(group) for group in optimizer.param_groups]
        self._observer = EventObserver(
            seat.events, seat.network.server, optimizer, first_step=start.step
        )
        watchers = Observers(self._observer, seat.metrics)
        self._boundary = _boundary(seat, meetings, optimizer, watchers, start.step)
        stepper = Stepper(
            task.model,
            optimizer,
            self._boundary,
            rules=StepRules(rate, spec.training.non_finite, spec.training.gradient_clipping),
            wait=self._wait,
        )
        self.part = Part(
            stepper,
            optimizer,
            self._boundary,
            memory,
            start.saved,
            start.saved["random"] if start.is_own and start.saved is not None else None,
            start.late,
            live_ranks=lambda: seat.network.roster().workers().keys(),
            after_step=self._after_step,
        )

    def begin(self) -> bool:
        """Meet those whom to meet and say what the worker begins with; False if all is over."""
        seat, start, environment = self._seat, self._start, self._seat.environment
        seed = seat.task.job.spec.training.seed
        # What a model draws, such as dropout, is each worker's own.
        torch.manual_seed(derive_seed(seed, "draws", environment.rank, environment.incarnation))
        if start.is_own and start.saved is not None:
            self._boundary.state.load(start.saved["worker"])
            # The job's own optimizer is set as the job has it now.
            for group, own in zip(self.part.optimizer.param_groups, self._settings, strict=False):
                group.update(own)
            self._progress.take_over(tuple(row) for row in start.saved["rows"])
        elif start.saved is not None:
            self._boundary.state.count_on(start.saved["worker"])
        if self._meetings is None:
            self._tell_begin(start.model_from, start.step)
        elif drive(self._boundary.assemble(), self._wait):
            donor = self._meetings.donor or start.model_from or SEED
            self._tell_begin(donor, self._boundary.counters.steps)
        else:
            left = self._progress.stop is None
            seat.events.emit(Finished(step=0, samples=0, released=False, left=left))
            return False
        # Where workers meet at every step they also agree there on when to end.
        is_over = self._progress.stop is not None and self._meetings is None
        self.part.stepper.going = not is_over
        seat.metrics.phases.start(Phase.DATA)
        return True

    def check_trained(self) -> None:
        """Refuse a loop that ended by itself before it took a step.

        Raises:
            SessionError: it did; there would be nothing of this worker's in the job's model.

        """
        if self.part.stepper.going and not self._boundary.counters.own_steps:
            raise SessionError(
                "the loop ended without a step, and the job goes on; train in `for batch in "
                "session.batches(loader):` and call session.step for every batch"
            )

    def finish(self) -> None:
        """Take in what is still under way, publish the final model and report."""
        seat, boundary = self._seat, self._boundary
        if self._memory is not None and not self._has_diverged():
            self._memory.save_last(boundary, self._progress)
        drive(boundary.finish(), self._wait)
        seat.metrics.phases.stop()
        self._observer.report(boundary)
        if (stop := self._progress.stop) is not None:
            steps, samples = boundary.counters.steps, boundary.job_samples
            seat.events.emit(
                Stopping(reason=stop.reason, by=stop.by, step=steps, job_samples=samples)
            )

    def end(self, *, alone: bool) -> None:
        """Serve the final model until released; one that leaves only tells the others its count."""
        seat, steps = self._seat, self._boundary.counters.steps
        left, released = self._boundary.has_left, False
        if left:
            ask_the_others(seat.network, MAX_TOLD)
        else:
            if not seat.leaving.is_set():
                seat.standing.phase = "Finished"
            released = not alone and await_release(self._progress, seat.leaving)
            if not released and not seat.leaving.is_set():
                save_own(seat)
        samples = self._progress.own_samples
        seat.events.emit(Finished(step=steps, samples=samples, released=released, left=left))

    def _is_to_be_continued(self) -> bool:
        """Tell whether somebody may go on from here: it leaves, or the job was cut short."""
        stop = self._progress.stop
        return self._boundary.has_left or (stop is not None and stop.reason in CUT_SHORT)

    def _has_diverged(self) -> bool:
        """Tell whether nobody would want to go on from here: what was saved before is better."""
        stop = self._progress.stop
        return stop is not None and stop.reason is StopReason.DIVERGED

    def _after_step(self) -> None:
        memory, boundary = self._memory, self._boundary
        if memory is None:
            return
        if self._is_to_be_continued() and not boundary.averages_gradients:
            # It goes on to the next meeting, which may be further off than the time it is given.
            if not self._has_saved_early:
                self._has_saved_early = memory.save_now(boundary, self._progress)
        else:
            memory.after_step(boundary, self._progress)

    def _tell_begin(self, model_from: str, step: int) -> None:
        """Open the own count and tell what the worker begins with."""
        seat, environment = self._seat, self._seat.environment
        self._progress.begin(environment.rank, environment.incarnation, time.time())
        note_beginning(environment, seat.task.name)
        digest = digest_of(seat.task.model.vector.cpu())
        began = Began(
            model_from=model_from,
            step=step,
            job_samples=self._progress.samples,
            digest=digest,
            earlier_seconds=self._progress.earlier_seconds,
        )
        seat.events.emit(began)
        if model_from in {SEED, OWN}:
            # Not before: a model that nobody trains yet would pull back those who do.
            self._boundary.publish_first()
        seat.standing.phase = "Training"


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
        average=average_of(spec.training, task.model.vector, seat.averages),
        first_step=first_step,
        patience=spec.run_policy.start_deadline,
    )


def _settings_of(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an optimizer's group is set by the job and not by its schedule."""
    return {name: value for name, value in group.items() if name not in {"params", "lr"}}


@contextmanager
def _obeying_signals(seat: Seat, boundary: StepBoundary) -> Iterator[None]:
    """SIGTERM ends this worker after its step, SIGINT the job for everyone.

    What a script does afterwards they end as they did before.
    """

    def leave(_signal: int, _frame: object) -> None:
        seat.standing.phase = "Leaving"  # at once: nobody is to begin anything with it
        seat.leaving.set()
        boundary.leave()

    def interrupt(_signal: int, _frame: object) -> None:
        seat.network.progress.end(StopReason.INTERRUPTED, seat.task.name, time.time())

    handlers = {signal.SIGTERM: leave, signal.SIGINT: interrupt}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
