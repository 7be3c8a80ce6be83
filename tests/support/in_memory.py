"""Real workers and servers over nothing: the test decides what happens next.

It keeps what `gossip_trainer.algorithms.effects` promises. A message is taken exactly once and its
answer comes back exactly once, in any order, or it is lost, which is only said of one that nobody
has taken or will take. A worker that waits is blocked and takes in what comes at once; any other
takes it in at its next step boundary.

Workers go on as they can (`begin_step`, `arrive`), one at a time (`step`), or in lockstep
(`play_round`): all compute, all publish, then all exchange, and nobody goes on before those that
wait have got what they wait for.
"""

from dataclasses import dataclass, field, replace

import torch
from in_memory_worker import Gradient, UnderWay, Worker
from torch import Tensor

from gossip_trainer.algorithms.base import Algorithm, ServerAlgorithm
from gossip_trainer.algorithms.effects import (
    Average,
    Effects,
    Fetch,
    Hear,
    Loss,
    Message,
    Party,
    Rank,
    Request,
    Send,
    Shard,
)
from gossip_trainer.algorithms.view import View, make_view
from gossip_trainer.compression.excerpt import Excerpt


@dataclass(eq=False)
class World:
    """Workers, servers, and what is under way between them.

    Rows of `points` are the workers' live vectors, changed in place. `sgd` is for torch's SGD.

    Attributes:
        workers: by rank.
        under_way: what may arrive or be lost, the oldest first.
        taken: the (rank, number) of every message a server took, by server.

    """

    algorithms: list[Algorithm]
    points: Tensor
    servers: dict[Shard, ServerAlgorithm] = field(default_factory=dict)
    sgd: dict = field(default_factory=lambda: {"lr": 0.0})
    num_parameters: int | None = None
    under_way: list[UnderWay] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.workers: dict[Rank, Worker] = {}
        self.taken: dict[Shard, list[tuple[Rank, int]]] = {shard: [] for shard in self.servers}
        self._unanswered: dict[tuple[Party, Request], UnderWay] = {}
        self._num_sends = 0
        self._version = 1
        self._in_lockstep = False
        for algorithm, live in zip(self.algorithms, self.points, strict=True):
            self.join(algorithm, live)

    # What the test may let happen.

    def begin_step(self, rank: Rank, gradient: Gradient | None = None) -> None:
        """Begin a step, without a gradient one without training; go on until it is blocked."""
        worker = self.workers[rank]
        assert worker.step is None
        worker.step = worker.play_step(gradient)
        self._go_on(worker)

    def step(self, rank: Rank, gradient: Gradient | None = None) -> None:
        """Take a whole step; what the worker waits for comes to pass first."""
        self.begin_step(rank, gradient)
        self._await(self.workers[rank])

    def play_round(self, gradient: Gradient | None = None) -> None:
        """Let all take a step in lockstep."""
        self._in_lockstep = True
        workers = list(self.workers.values())
        for worker in workers:
            worker.step = worker.play_step(gradient)
        for _ in ("compute", "publish", "exchange"):
            for worker in workers:
                next(worker.step)
            self._meet()
            for worker in workers:
                self._await(worker)
        for worker in workers:
            worker.step = None
        self._in_lockstep = False

    def arrive(self, message: UnderWay) -> None:
        """Let a message, or what it brings, arrive; one to nobody is lost."""
        self.under_way.remove(message)
        receiver = self.workers.get(message.to)
        if message.answer is not None:
            self._bring_back(message)
        elif isinstance(message.to, Shard):
            self._serve(message)
        elif receiver is not None and isinstance(message.effect, Fetch):
            message.answer = _read(receiver.published, message.effect.excerpt)
            self._bring_back(message)
        elif receiver is not None and not receiver.has_finished:
            receiver.arrived.append(message)
            if not message.effect.asks:
                self._bring_back(message)
            self._wake(receiver)
        else:
            message.is_lost = True
            self._bring_back(message)

    def arrive_all(self) -> None:
        """Let all that is under way, and what it brings, arrive."""
        while self.under_way:
            self.arrive(self.under_way[0])

    def lose(self, message: UnderWay) -> None:
        """Lose a message that nobody has taken."""
        assert message.answer is None
        self.under_way.remove(message)
        message.is_lost = True
        self._bring_back(message)

    def join(self, algorithm: Algorithm, live: Tensor) -> None:
        """Let a worker begin, whom others see once they look around."""
        n = live.numel() if self.num_parameters is None else self.num_parameters
        self.workers[algorithm.rank] = Worker(algorithm, live, self, num_parameters=n, sgd=self.sgd)

    def kill(self, rank: Rank) -> None:
        """Let a worker die with all that it holds; the others see it once they look around."""
        dead = self.workers.pop(rank)
        for message in dead.arrived:
            if message.rank != rank and message.effect.asks:
                message.is_lost = True
                self._bring_back(message)
        for worker in self.workers.values():
            worker.stop_hearing(Loss.PEER, peer=rank)

    def finish(self, rank: Rank) -> None:
        """End a worker's training; it takes in what is under way for it and no new messages."""
        worker = self.workers[rank]
        worker.deliver()
        worker.has_finished = True
        worker.carry_out(worker.algorithm.on_finish(worker.x))

    def look_around(self, view: View | None = None) -> None:
        """Tell all who is alive."""
        self._version += 1
        view = view or make_view(self._version, dict.fromkeys(self.workers, 0))
        for worker in list(self.workers.values()):
            worker.carry_out(worker.algorithm.on_view(view))
        for shard, server in self.servers.items():
            self.answer(shard, server.on_view(view))

    # How it comes to pass.

    def _go_on(self, worker: Worker) -> None:
        while worker.step is not None and not worker.is_blocked:
            if next(worker.step, self) is self:
                worker.step = None
            if worker.is_blocked:
                worker.deliver()
        self._meet()

    def _wake(self, worker: Worker) -> None:
        if worker.is_blocked or worker.has_finished:
            worker.deliver()
            if not self._in_lockstep:
                self._go_on(worker)

    def _await(self, worker: Worker) -> None:
        """Let come to pass what a blocked worker waits for."""
        if worker.is_blocked:
            worker.deliver()
        while worker.is_blocked:
            coming = next((m for m in self.under_way if self._is_awaited(m, worker)), None)
            asked = next((m for m in worker.open if m.effect in worker.waits), None)
            if coming is not None:
                self.arrive(coming)
            elif asked is not None and asked.to in self.workers:
                self.workers[asked.to].deliver()
            elif asked is not None:  # its server waits for others
                self.arrive(self.under_way[0])
            else:
                worker.stop_hearing(Loss.DEADLINE)

    def _is_awaited(self, message: UnderWay, worker: Worker) -> bool:
        if message.rank == worker.rank:
            return message.effect in worker.waits
        return message.to == worker.rank and any(
            isinstance(awaited, Hear) and awaited.peer == message.rank for awaited in worker.waits
        )

    def _bring_back(self, message: UnderWay) -> None:
        worker = self.workers.get(message.rank)
        if worker is not None:
            worker.arrived.append(message)
            self._wake(worker)

    def _serve(self, message: UnderWay) -> None:
        shard = message.to
        self.taken[shard].append((message.rank, message.number))
        letter = self.letter(message, shard)
        self.answer(shard, self.servers[shard].on_message(message.rank, letter))
        if not message.effect.asks:
            self._bring_back(message)

    def _meet(self) -> None:
        """Average, once all wait for it."""
        workers = list(self.workers.values())
        asked = [[a for a in worker.waits if isinstance(a, Average)] for worker in workers]
        if not workers or not all(asked):
            return
        mean = torch.stack([average.vector for (average,) in asked]).mean(dim=0)
        for worker, (average,) in zip(workers, asked, strict=True):
            average.vector.copy_(mean)
            worker.averaged(average)
        if not self._in_lockstep:
            for worker in workers:
                self._go_on(worker)

    # What workers ask of it.

    def begin(self, worker: Worker, effect: Fetch | Send) -> UnderWay:
        """Put something under way."""
        self._num_sends += 1
        message = UnderWay(worker.rank, effect, self._num_sends, worker.steps)
        self.under_way.append(message)
        return message

    def letter(self, message: UnderWay, receiver: Party) -> Message:
        """Return a message as its receiver's algorithm sees it."""
        send, request = message.effect, None
        if send.asks:
            request = Request(f"worker-{message.rank}", message.number)
            self._unanswered[receiver, request] = message
        return Message(send.vector, message.step, send.scalars, message.number, request)

    def answer(self, party: Party, answers: Effects) -> None:
        """Put answers of `party` on the way back."""
        for answer in answers:
            message = self._unanswered.pop((party, answer.request))
            message.answer = Message(answer.vector, answer.step, answer.scalars)
            self.under_way.append(message)


def _read(published: Message, excerpt: Excerpt | None) -> Message:
    if excerpt is None:
        return published
    return replace(published, vector=excerpt.of(published.vector))
