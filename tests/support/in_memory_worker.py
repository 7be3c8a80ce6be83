"""One worker of the in-memory world: its algorithm, what it waits for, and what has come for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import (
    Answer,
    Average,
    Effects,
    Fetch,
    Hear,
    Loss,
    Message,
    Party,
    Rank,
    Send,
    Skip,
    Wait,
)
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.replica.flat import iterate_over

Gradient = Callable[[Tensor], Tensor]
"""The gradient of the parameters at a live vector."""


@dataclass(eq=False)
class UnderWay:
    """A fetch or a message on its way, or on the way back with what it brings."""

    rank: Rank
    effect: Fetch | Send
    number: int
    step: int
    answer: Message | None = None
    is_lost: bool = False

    @property
    def to(self) -> Party:
        """Whom it was meant for."""
        return self.effect.peer if isinstance(self.effect, Fetch) else self.effect.to


class Post(Protocol):
    """Takes what a worker sends."""

    def begin(self, worker: "Worker", effect: Fetch | Send) -> UnderWay:
        """Put something under way."""
        ...

    def answer(self, party: Party, answers: Effects) -> None:
        """Put answers of `party` on the way back."""
        ...

    def letter(self, message: UnderWay, receiver: Party) -> Message:
        """Return a message as its receiver's algorithm sees it."""
        ...


class Worker:
    """One worker, its live vector and its optimizer."""

    def __init__(
        self, algorithm: Algorithm, live: Tensor, post: Post, *, num_parameters: int, sgd: dict
    ) -> None:
        self.algorithm = algorithm
        self.live = live
        self._post = post
        self.parameter = torch.nn.Parameter(live[:num_parameters])
        self.optimizer = torch.optim.SGD([self.parameter], **sgd)
        self.published = Message(self.x.copy())
        self.steps = 0
        self.skipped = 0
        self.open: list[UnderWay] = []
        self.waits: list[Fetch | Send | Hear | Average] = []
        self.arrived: list[UnderWay] = []
        self.step: Iterator[None] | None = None
        self.has_finished = False

    @property
    def rank(self) -> Rank:
        """Its rank."""
        return self.algorithm.rank

    @property
    def x(self) -> Iterate:
        """Its point."""
        return iterate_over(self.live, self.parameter, self.optimizer)

    @property
    def is_blocked(self) -> bool:
        """Whether it waits."""
        return bool(self.waits)

    def play_step(self, gradient: Gradient | None) -> Iterator[None]:
        """Take a step; wherever it yields the worker may have to wait."""
        algorithm, parameter = self.algorithm, self.parameter
        algorithm.before_step(self.x)
        parameter.grad = (
            torch.zeros_like(parameter.data) if gradient is None else gradient(self.live.clone())
        )
        algorithm.idle = not self.open
        self.carry_out(algorithm.on_gradient(self.x, parameter.grad))
        yield
        if algorithm.steps_locally and gradient is not None:
            self.optimizer.step()
        self.steps += 1
        self.published = Message(self.x.copy(), self.steps)
        yield
        self.deliver()
        algorithm.idle = not self.open
        self.carry_out(algorithm.on_step(self.x))
        yield

    def carry_out(self, effects: Effects) -> None:
        """Do what the algorithm asks for."""
        for effect in effects:
            match effect:
                case Fetch() | Send():
                    self.open.append(self._post.begin(self, effect))
                case Answer():
                    self._post.answer(self.rank, [effect])
                case Wait(awaited):
                    self.waits.append(awaited)
                case Skip():
                    self.skipped += 1

    def deliver(self) -> None:
        """Take in all that has come, in the order in which it came."""
        while self.arrived:
            message = self.arrived.pop(0)
            mine = message.rank == self.rank
            self.carry_out(self._end(message) if mine else self._read(message))

    def stop_hearing(self, reason: Loss, peer: Rank | None = None) -> None:
        """Let what is to be heard of `peer`, or of anybody, be lost."""
        for hear in [awaited for awaited in self.waits if isinstance(awaited, Hear)]:
            if peer in {None, hear.peer}:
                self.waits.remove(hear)
                self.carry_out(self.algorithm.on_lost(hear, reason, self.x))

    def averaged(self, average: Average) -> None:
        """Take in the mean that was waited for."""
        self.waits.remove(average)
        self.carry_out(self.algorithm.on_averaged(average, self.x))

    def _end(self, message: UnderWay) -> Effects:
        self.open.remove(message)
        self.waits = [awaited for awaited in self.waits if awaited != message.effect]
        if message.is_lost:
            return self.algorithm.on_lost(message.effect, Loss.PEER, self.x)
        return self.algorithm.on_answer(message.effect, message.answer, self.x)

    def _read(self, message: UnderWay) -> Effects:
        heard = (message.rank, *message.effect.scalars[:1])
        self.waits = [
            awaited
            for awaited in self.waits
            if not (isinstance(awaited, Hear) and (awaited.peer, awaited.key) == heard)
        ]
        letter = self._post.letter(message, self.rank)
        return self.algorithm.on_message(message.rank, letter, self.x)
