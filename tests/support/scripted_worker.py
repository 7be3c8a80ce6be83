"""A lone worker whose algorithm asks for what a test wants, and writes down what it is told."""

from datetime import timedelta

import torch
from lone_worker import LoneWorker, build_worker, members

from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import (
    Average,
    Effect,
    Effects,
    Fetch,
    Hear,
    Loss,
    Message,
    Party,
    Rank,
    Send,
)
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.view import View
from gossip_trainer.membership.roster import Roster
from gossip_trainer.training.collective import Collective

NOTHING = torch.empty(0)


class Scripted(Algorithm):
    """Asks once for what a test wants, and writes down what it is told.

    `replies` maps a call's name to the effects it returns, each once.
    """

    def __init__(self, rank: Rank, view: View, *wanted: Effect, **replies: Effects) -> None:
        super().__init__(rank, view)
        self.wanted, self.replies = wanted, replies
        self.told: list[tuple[object, ...]] = []

    def on_step(self, x: Iterate) -> Effects:
        """Ask for what is wanted, the first time."""
        wanted, self.wanted = self.wanted, ()
        return self._hear("step") or wanted

    def on_answer(self, effect: Fetch | Send, message: Message | None, x: Iterate) -> Effects:
        """Write down the first element that came, if any did."""
        value = None if message is None or not message.vector.numel() else float(message.vector[0])
        return self._hear("answer", effect, value)

    def on_message(self, sender: Party, message: Message, x: Iterate) -> Effects:
        """Write down the first element."""
        return self._hear("message", sender, float(message.vector[0]))

    def on_averaged(self, effect: Average, x: Iterate) -> Effects:
        """Write it down."""
        return self._hear("averaged", effect)

    def on_lost(self, effect: Fetch | Send | Hear, reason: Loss, x: Iterate) -> Effects:
        """Write it down."""
        return self._hear("lost", effect, reason)

    def on_view(self, view: View) -> Effects:
        """Write down who is in it."""
        super().on_view(view)
        return self._hear("view", view.ranks)

    def _hear(self, call: str, *details: object) -> Effects:
        self.told.append((call, *details))
        return self.replies.pop(call, ())


def scripted(
    *wanted: Effect,
    roster: list[Roster] | None = None,
    collective: Collective | None = None,
    patience: timedelta = timedelta(minutes=1),
    **replies: Effects,
) -> LoneWorker:
    """Return worker 0 of three, beside two servers unless `roster` says otherwise."""
    return build_worker(
        lambda rank, view: Scripted(Rank(rank), view, *wanted, **replies),
        roster=roster or [members(0, 1, 2, servers=2)],
        collective=collective,
        patience=patience,
    )


def told(worker: LoneWorker) -> list[tuple[object, ...]]:
    """Return all that its algorithm was told, but for its own steps."""
    assert isinstance(worker.algorithm, Scripted)
    return [each for each in worker.algorithm.told if each != ("step",)]
