"""The interface of every strategy.

An algorithm is told what happened and answers with effects. It changes the worker's x in place and
keeps a small state of its own. It has no clock, no socket, no log and no randomness but the stream
it is given. The worker process, the simulator and the tests drive the same objects.
"""

from typing import Protocol

from torch import Tensor

from gossip_trainer.algorithms.effects import Effect, Effects, Loss, Message, Rank
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.view import View

NOTHING: Effects = ()


class Algorithm:
    """A strategy that never communicates; the others override the calls they need.

    Attributes:
        rank: the worker's own rank.
        view: who is alive; the runtime replaces it through `on_view`.

    """

    def __init__(self, rank: Rank, view: View) -> None:
        self.rank = rank
        self.view = view

    def on_gradient(self, x: Iterate, gradient: Tensor) -> Effects:
        """After backward, before the optimizer; `gradient` has shape (num_parameters,)."""
        del x, gradient
        return NOTHING

    def on_step(self, x: Iterate) -> Effects:
        """After the optimizer's step and after x was published."""
        del x
        return NOTHING

    def on_message(self, sender: Rank, message: Message, x: Iterate) -> Effects:
        """Take in what was fetched from `sender`; called at a step boundary."""
        del sender, message, x
        return NOTHING

    def on_lost(self, effect: Effect, reason: Loss) -> Effects:
        """`effect` could not be carried out."""
        del effect, reason
        return NOTHING

    def on_view(self, view: View) -> Effects:
        """Take in that the membership changed."""
        self.view = view
        return NOTHING


class RandomStream(Protocol):
    """A seeded source of numbers in [0, 1); `random.Random` is one."""

    def random(self) -> float:
        """Return the next number."""
        ...


def uniform_rank(stream: RandomStream, view: View) -> Rank:
    """Draw one of the view's ranks, each with the same probability."""
    return view.members[int(stream.random() * len(view.members))].rank
