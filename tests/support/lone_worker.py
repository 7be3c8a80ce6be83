"""A step boundary with all its links, where nothing happens but what the test lets happen."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import torch
from torch import Tensor, nn

from gossip_api.names import Role
from gossip_api.topology import Topology
from gossip_api.training import Budget, Optimizer
from gossip_api.training import MovingAverage as MovingAverageSettings
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import Answer, Message, Request, Send
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.algorithms.view import View
from gossip_trainer.membership.peers import Peers
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.observability.phase_clock import Phase
from gossip_trainer.progress.budget import BudgetMeter
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.replica.snapshots import Snapshots
from gossip_trainer.training.boundary import StepBoundary
from gossip_trainer.training.collective import Collective
from gossip_trainer.training.ending import Limits
from gossip_trainer.training.exchange import Arrived, Dispatch, Lost, Outcome
from gossip_trainer.training.links import Letter, Links, Publisher
from gossip_trainer.training.moving_average import MovingAverage
from gossip_trainer.training.news import drive
from gossip_trainer.training.observer import Observer
from gossip_trainer.training.optimizers import build_optimizer

MUCH = Budget(samples=10**9)
LEARNING_RATE = 0.5
AVERAGING = MovingAverageSettings(decay=0.5)
Make = Callable[[int, View], Algorithm]


class Stream:
    """Of two ranks it draws rank 1, always."""

    def random(self) -> float:
        """Return the same number."""
        return 0.75


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


class FakeExchange:
    """What was begun ends when the test says so; `index` is the place in `begun`."""

    def __init__(self) -> None:
        self.begun: list[Dispatch] = []
        self._num_open = 0
        self._outcomes: deque[tuple[Outcome, bool]] = deque()
        self._aside: set[int] = set()

    @property
    def busy(self) -> bool:
        """Whether something has neither been collected nor been put aside."""
        return self._num_open > 0

    def begin(self, batch: Iterable[Dispatch]) -> None:
        """Note everything in `batch`."""
        assert not self.busy
        dispatches = list(batch)
        self.begun += dispatches
        self._num_open = len(dispatches)

    def collect(self) -> Outcome | None:
        """Return what the test let happen."""
        if not self._outcomes:
            return None
        outcome, was_busy = self._outcomes.popleft()
        self._num_open -= was_busy
        return outcome

    def arrive(
        self,
        vector: Tensor | None = None,
        *,
        index: int = -1,
        step: int = 0,
        scalars: tuple[float, ...] = (),
        finished: bool = False,
    ) -> None:
        """Let one end well; without a vector nothing comes back."""
        dispatch = self.begun[index]
        message = None if vector is None else Message(vector, step, scalars, finished=finished)
        self._end(index, Arrived(dispatch.effect, self._name(dispatch), message, finished))

    def lose(
        self,
        reason: str = "it hung up",
        *,
        index: int = -1,
        suspect: bool = True,
        finished: bool = False,
    ) -> None:
        """Let one come to nothing."""
        dispatch = self.begun[index]
        name = self._name(dispatch)
        self._end(index, Lost(dispatch.effect, name, reason, suspect, finished))

    def put_aside(self, index: int = -1) -> None:
        """Keep one no longer busy with."""
        self._aside.add(index % len(self.begun))
        self._num_open -= 1

    def _end(self, index: int, outcome: Outcome) -> None:
        self._outcomes.append((outcome, index % len(self.begun) not in self._aside))

    @staticmethod
    def _name(dispatch: Dispatch) -> str:
        return "server-0-0" if dispatch.peer is None else dispatch.peer.name


class FakeLetters:
    """Holds what tests put in; what is released is overwritten, as a reused buffer would be."""

    def __init__(self) -> None:
        self.come: deque[Letter] = deque()
        self.answers: list[Answer] = []
        self.closed = False

    def put(
        self,
        sender: str,
        vector: Tensor,
        *,
        asks: bool = False,
        number: int = 1,
        step: int = 0,
        scalars: tuple[float, ...] = (),
    ) -> None:
        """Let a message come; the box must still be open."""
        assert not self.closed
        request = Request(sender, number) if asks else None
        self.come.append(Letter(sender, Message(vector.clone(), step, scalars, number, request)))

    def collect(self) -> Letter | None:
        """Return the next one."""
        return self.come.popleft() if self.come else None

    def release(self, letter: Letter) -> None:
        """Spoil its vector."""
        letter.message.vector.fill_(float("nan"))

    def answer(self, answer: Answer) -> None:
        """Note an answer."""
        self.answers.append(answer)

    def close(self) -> None:
        """Take no more."""
        self.closed = True


@dataclass
class Journal(Observer):
    """An observer that writes down what it sees; the many phases and ages apart."""

    entries: list[object] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    ages: list[int] = field(default_factory=list)

    def entered(self, phase: Phase) -> None:
        """Write."""
        self.phases.append(phase)

    def took_in(self, age: int) -> None:
        """Write."""
        self.ages.append(age)

    def stepped(self, boundary: StepBoundary) -> None:
        """Write."""
        del boundary
        self.entries.append("stepped")

    def exchange_lost(self, peer: str, step: int, reason: str) -> None:
        """Write."""
        self.entries.append(("lost", peer, step, reason))

    def view_changed(self, view: View) -> None:
        """Write."""
        self.entries.append(("view", view.ranks))


@dataclass(eq=False)
class LoneWorker:
    """A boundary and its surroundings; `at_wait` runs, with the seconds, when it has to wait."""

    boundary: StepBoundary
    algorithm: Algorithm
    model: FlatModel
    optimizer: torch.optim.Optimizer
    snapshots: Snapshots
    exchange: FakeExchange
    letters: FakeLetters
    peers: Peers
    progress: JobProgress
    journal: Journal
    clock: Clock
    wall: Clock
    at_wait: Callable[[float], None] = lambda _seconds: pytest.fail("waited")

    def step(self, gradient: float = 0.0, *, samples: int = 8, loss: float = 0.5) -> bool:
        """Take a step with a gradient that is the same everywhere; return whether to go on."""
        self.boundary.begin_step()
        self.model.gradient.fill_(gradient)
        drive(self.boundary.gradient_ready(samples=samples), self.wait)
        if self.boundary.steps_locally:
            self.optimizer.step()
        return drive(self.boundary.step_done(loss=loss), self.wait)

    def finish(self) -> None:
        """End."""
        drive(self.boundary.finish(), self.wait)

    def wait(self, seconds: float) -> None:
        """Wait as the test wants."""
        self.at_wait(seconds)

    def published(self) -> tuple[object, Tensor]:
        """Return the newest snapshot's header and vector."""
        pin = self.snapshots.pin()
        assert pin is not None
        try:
            return pin.header, pin.vector.clone()
        finally:
            pin.release()

    @property
    def x(self) -> Tensor:
        """The live vector."""
        return self.model.vector

    def filled(self, value: float) -> Tensor:
        """Return a vector of the model's size that is the same everywhere."""
        return torch.full_like(self.x, value)

    def sends(self) -> list[Send]:
        """Return all messages that were begun."""
        effects = [dispatch.effect for dispatch in self.exchange.begun]
        return [effect for effect in effects if isinstance(effect, Send)]


def members(*ranks: int, servers: int = 0) -> Roster:
    """Return a roster."""
    workers = [Endpoint(Role.WORKER, rank, 0, "10.0.0.1", rank) for rank in ranks]
    served = [Endpoint(Role.SERVER, shard, 0, "10.0.0.2", shard) for shard in range(servers)]
    return Roster((*workers, *served))


def gossip(**settings: object) -> Make:
    """Return a maker of pull gossip that always chooses rank 1."""
    selection = PeerSelection(Topology(), "Uniform", seed=1)
    return lambda rank, view: PullGossip(rank, view, selection, Stream(), **settings)


def build_worker(
    make: Make | None = None,
    *,
    rank: int = 0,
    budget: Budget = MUCH,
    active_deadline: timedelta | None = None,
    collective: Collective | None = None,
    roster: list[Roster] | None = None,
    average: Publisher | None = None,
    patience: timedelta = timedelta(minutes=1),
    first_step: int = 0,
) -> LoneWorker:
    """Build a worker; `roster` is a list of one, whose element a test may replace.

    `average` is given its moving average, for which half stays at every step; it has one if there
    is a publisher for it.
    """
    torch.manual_seed(1)
    model = FlatModel(nn.Linear(16, 8))
    settings = Optimizer(name="sgd", learning_rate=LEARNING_RATE)
    optimizer = build_optimizer(settings, [model.parameter])
    clock, wall = Clock(), Clock(5000.0)
    progress = JobProgress(clock)
    progress.begin(rank, 0, wall.now)
    roster = roster if roster is not None else [members(0, 1)]
    peers = Peers(rank, 0, lambda: roster[0])
    peers.refresh(clock.now)
    algorithm = (make or gossip())(rank, peers.view)
    journal, exchange, letters = Journal(), FakeExchange(), FakeLetters()
    snapshots = Snapshots(model.layout)
    boundary = StepBoundary(
        f"worker-{rank}-0",
        algorithm=algorithm,
        model=model,
        optimizer=optimizer,
        links=Links(
            snapshots=snapshots,
            peers=peers,
            exchange=exchange,
            letters=letters,
            progress=progress,
            collective=collective,
        ),
        limits=Limits(BudgetMeter(budget, epoch_samples=100, steps_samples=16), active_deadline),
        observer=journal,
        average=None if average is None else MovingAverage(AVERAGING, model.vector, average),
        first_step=first_step,
        patience=patience,
        clock=clock,
        wall_clock=wall,
    )
    return LoneWorker(
        boundary=boundary,
        algorithm=algorithm,
        model=model,
        optimizer=optimizer,
        snapshots=snapshots,
        exchange=exchange,
        letters=letters,
        peers=peers,
        progress=progress,
        journal=journal,
        clock=clock,
        wall=wall,
    )


class Post:
    """Brings workers' messages to each other and the answers back, each of them once."""

    def __init__(self, *workers: LoneWorker) -> None:
        self._workers = {f"worker-{w.algorithm.rank}-0": w for w in workers}
        self._num_carried = dict.fromkeys(self._workers, 0)
        self._num_answered = dict.fromkeys(self._workers, 0)

    def carry(self) -> None:
        """Bring everything that was begun or answered since the last time."""
        for name, worker in self._workers.items():
            begun, answers = worker.exchange.begun, worker.letters.answers
            for index in range(self._num_carried[name], len(begun)):
                self._bring(name, index)
            self._num_carried[name] = len(begun)
            for answer in answers[self._num_answered[name] :]:
                self._bring_back(answer)
            self._num_answered[name] = len(answers)

    def _bring(self, name: str, index: int) -> None:
        exchange = self._workers[name].exchange
        dispatch = exchange.begun[index]
        send = dispatch.effect
        assert isinstance(send, Send)
        assert dispatch.peer is not None
        self._workers[dispatch.peer.name].letters.put(
            name,
            send.vector,
            asks=send.asks,
            number=dispatch.number,
            step=dispatch.step,
            scalars=send.scalars,
        )
        if not send.asks:
            exchange.arrive(index=index)

    def _bring_back(self, answer: Answer) -> None:
        exchange = self._workers[answer.request.sender].exchange
        numbers = [dispatch.number for dispatch in exchange.begun]
        index = numbers.index(answer.request.number)
        exchange.arrive(answer.vector, index=index, step=answer.step, scalars=answer.scalars)
