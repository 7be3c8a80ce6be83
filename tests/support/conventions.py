"""Workers that agree on groups over a network that delays, loses and reorders, in virtual time."""

import heapq
import itertools
import random
from dataclasses import dataclass, field

from gossip_trainer.training.generation import Convention, Copy, Enter
from gossip_trainer.training.stance import Ballot, Stage

TICK = 0.05
FORM_SECONDS = 10.0
PATIENCE = 20.0


@dataclass(eq=False)
class Worker:
    """One process; `digest` stands for all it has learned."""

    name: str
    convention: Convention
    step: int
    digest: str
    alive: bool = True
    paused_until: float = 0.0
    forming_until: float | None = None  # entered, but not all others have
    leaving: bool = False
    listed: frozenset[str] = frozenset()

    @property
    def group(self) -> Ballot | None:
        """The group it is in, as far as it knows."""
        stance = self.convention.stance
        return stance.group if stance.stage is Stage.TRAINING else None


@dataclass
class Hall:
    """All of them, and what happened.

    Attributes:
        entered: every ballot that anybody entered, in order.
        completed: how many steps all members of some group have completed together.

    """

    stream: random.Random
    num_least: int = 1
    loss: float = 0.1
    delay: float = 0.4
    now: float = 0.0
    workers: dict[str, Worker] = field(default_factory=dict)
    entered: list[Ballot] = field(default_factory=list)
    completed: int = 0

    def __post_init__(self) -> None:
        self._messages: list[tuple[float, int, object]] = []
        self._numbers = itertools.count()
        self._incarnations: dict[int, itertools.count] = {}

    def add(self, rank: int, *, num_first: int = 1, fresh: bool = False) -> Worker:
        """Start a process of a rank; it is found at once, others find it a little later."""
        incarnation = next(self._incarnations.setdefault(rank, itertools.count()))
        name = f"worker-{rank}-{incarnation}"
        convention = Convention(
            name,
            next(self._numbers),
            num_first=num_first,
            num_least=self.num_least,
            patience=PATIENCE,
        )
        worker = Worker(name, convention, 0, "0" if fresh else "")
        self.workers[name] = worker
        convention.ready(0, worker.digest, self.now)
        self.tell_roster()
        return worker

    def kill(self, rank: int) -> None:
        """Let the rank's process die; some of the others may have completed its last step."""
        worker = self.of(rank)
        if worker is None:
            return
        group = worker.group
        worker.alive = False
        if group is not None and self.is_active(group):
            for name in group.members:
                other = self.workers[name]
                if other.alive and self.stream.random() < 0.5:
                    self.take_step(other)
        self.tell_roster()

    def leave(self, rank: int) -> None:
        """Let the rank's process leave after its step; the others hear of it in that."""
        worker = self.of(rank)
        if worker is not None:
            worker.leaving = True

    def pause(self, rank: int, seconds: float) -> None:
        """Stop a process for a while."""
        worker = self.of(rank)
        if worker is not None:
            worker.paused_until = self.now + seconds

    def of(self, rank: int) -> Worker | None:
        """Return the live process of a rank."""
        mine = (w for w in self.workers.values() if w.alive and w.name.split("-")[1] == str(rank))
        return next(mine, None)

    @property
    def alive(self) -> list[Worker]:
        """Those that live."""
        return [worker for worker in self.workers.values() if worker.alive]

    def tell_roster(self) -> None:
        """Let everybody see who lives: each for itself at once, the others a little later."""
        names = frozenset(worker.name for worker in self.alive)
        for worker in self.alive:
            self._later(1.0, lambda worker=worker: self._list(worker))
            if not worker.listed:
                worker.listed = names
                worker.convention.look_up(names)

    def _list(self, worker: Worker) -> None:
        worker.convention.look_up(w.name for w in self.alive)

    def is_active(self, group: Ballot) -> bool:
        """Tell whether all members of a group are in it."""
        return all(self.workers[n].alive and self.workers[n].group == group for n in group.members)

    def take_step(self, worker: Worker) -> None:
        """Complete a step."""
        worker.step += 1
        worker.digest = str(worker.step)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self.now += TICK
            while self._messages and self._messages[0][0] <= self.now:
                heapq.heappop(self._messages)[2]()
            for worker in self.alive:
                if worker.paused_until <= self.now:
                    self._act(worker)
            self._train()

    def _later(self, most: float, call) -> None:
        at = self.now + self.stream.random() * most
        heapq.heappush(self._messages, (at, next(self._numbers), call))

    def _ask(self, asker: Worker, name: str) -> None:
        told = asker.convention.stance
        if self.stream.random() < self.loss:
            return

        def arrive() -> None:
            asked = self.workers[name]
            if not asked.alive or asked.paused_until > self.now:
                return
            asked.convention.hear(asker.name, told, self.now)
            answer = asked.convention.stance
            if self.stream.random() >= self.loss:
                self._later(self.delay, lambda: asker.convention.hear(asked.name, answer, self.now))

        self._later(self.delay, arrive)

    def _act(self, worker: Worker) -> None:
        convention, group = worker.convention, worker.group
        if group is not None:
            broken = convention.gone() or convention.given_up()
            late = worker.forming_until is not None and worker.forming_until < self.now
            if broken or late:
                self._be_ready(worker)
            return
        match convention.advance(self.now):
            case Copy(ballot):
                convention.copy()
                self._later(2.0, lambda: self._copied(worker, ballot))
            case Enter(ballot):
                assert (worker.step, worker.digest) == (ballot.step, ballot.digest)
                convention.enter(ballot)
                self.entered.append(ballot)
                worker.forming_until = self.now + FORM_SECONDS
            case None:
                for name in convention.to_ask(self.now):
                    if name in self.workers:
                        self._ask(worker, name)

    def _be_ready(self, worker: Worker) -> None:
        worker.forming_until = None
        worker.convention.ready(worker.step, worker.digest, self.now)

    def _copied(self, worker: Worker, ballot: Ballot) -> None:
        donor = self.workers[ballot.donor]
        if donor.alive and donor.digest and donor.convention.stance.is_gathering:
            worker.step, worker.digest = donor.step, donor.digest
        if worker.convention.stance.stage is Stage.COPYING:
            self._be_ready(worker)

    def _train(self) -> None:
        """Let every group whose members have all come take a step together."""
        groups = {worker.group for worker in self.alive if worker.group is not None}
        active = [group for group in groups if self.is_active(group)]
        assert len(active) <= 1, "two groups train at once"
        for group in active:
            members = [self.workers[name] for name in group.members]
            if any(member.paused_until > self.now for member in members):
                continue
            for member in members:
                member.forming_until = None
                self.take_step(member)
            self.completed = max(self.completed, members[0].step)
            awaited = any(member.convention.is_awaited(self.now) for member in members)
            if awaited or any(member.leaving for member in members):
                self._part(members)

    def _part(self, members: list[Worker]) -> None:
        for member in members:
            if member.leaving:
                member.convention.leave()
                member.alive = False
                self.tell_roster()
            else:
                self._be_ready(member)
