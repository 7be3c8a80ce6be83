"""The interface of every strategy.

An algorithm is told what happened and answers with effects. It changes the worker's x in place and
keeps a small state of its own. It has no clock, no socket, no log and no randomness but the stream
it is given. The worker process, the simulator and the tests drive the same objects.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from gossip_trainer.algorithms.effects import (
    Average,
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

NOTHING: Effects = ()


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What an algorithm keeps, alike on all workers that meet.

    Attributes:
        counts: plain numbers, as many in every state of the algorithm.
        vectors: flat vectors of the same, fixed sizes; the algorithm's own, not copies.

    """

    counts: tuple[int, ...] = ()
    vectors: tuple[Tensor, ...] = ()


class Algorithm:
    """A strategy that never communicates; the others override the calls they need.

    The order of a step: `before_step`, forward and backward, `on_gradient`, the optimizer,
    publishing x, what arrived meanwhile (`on_answer`, `on_message`, `on_lost`), `on_step`.

    Attributes:
        steps_locally: whether the worker's own optimizer steps; it does not where a server's does.
        exchanges_on_gradient: whether it begins its exchanges in `on_gradient`; what has arrived is
            then taken in before that as well.
        rank: the worker's own rank.
        view: who is alive; the runtime replaces it through `on_view`.
        idle: whether a `Fetch` or `Send` asked for now would begin at once; kept by the runtime. An
            algorithm asks for none while it is false.
        weight: how much x counts in the average of all workers; published with x.
        keeps_equal: whether x and the optimizer's state are the same on all workers.

    """

    steps_locally: bool = True
    keeps_equal: bool = False
    exchanges_on_gradient: bool = False

    def __init__(self, rank: Rank, view: View) -> None:
        self.rank = rank
        self.view = view
        self.idle = True
        self.weight = 1.0

    def before_step(self, x: Iterate) -> None:
        """Before forward; whatever it does to x, `on_gradient` takes back."""
        del x

    def on_gradient(self, x: Iterate, gradient: Tensor) -> Effects:
        """After backward, before the optimizer; `gradient` has shape (num_parameters,)."""
        del x, gradient
        return NOTHING

    def on_step(self, x: Iterate) -> Effects:
        """After the optimizer's step, after x was published and what arrived was taken in."""
        del x
        return NOTHING

    def on_answer(self, effect: Fetch | Send, message: Message | None, x: Iterate) -> Effects:
        """Take in what a `Fetch` or an asking `Send` brought; any other `Send` brings None."""
        del effect, message, x
        return NOTHING

    def on_message(self, sender: Party, message: Message, x: Iterate) -> Effects:
        """Take in what another's `Send` brought here; called at a step boundary."""
        del sender, message, x
        return NOTHING

    def on_averaged(self, effect: Average, x: Iterate) -> Effects:
        """`effect.vector` holds the mean now."""
        del effect, x
        return NOTHING

    def on_lost(self, effect: Fetch | Send | Hear, reason: Loss, x: Iterate) -> Effects:
        """`effect` came to nothing."""
        del effect, reason, x
        return NOTHING

    def on_view(self, view: View) -> Effects:
        """Take in that the membership changed."""
        self.view = view
        return NOTHING

    def on_group(self, x: Iterate) -> Effects:
        """All workers now in the group agree on the state; ask again for a mean that was lost.

        Told before the first step and whenever a group that lost or gained members met anew. A
        gradient is not to be asked for: the step that it was of is repeated.
        """
        del x
        return NOTHING

    def state(self, x: Iterate) -> State:
        """Return what it keeps from one mean over all workers to the next."""
        del x
        return State()

    def restore(self, counts: tuple[int, ...]) -> None:
        """Go on from another worker's counts; the vectors of `state` were overwritten in place."""
        del counts

    def on_finish(self, x: Iterate) -> Effects:
        """After the last step; nothing is waited for any more."""
        del x
        return NOTHING


class ServerAlgorithm(Protocol):
    """A server's part: it takes messages as they come and answers them, then or later."""

    @property
    def version(self) -> int:
        """How many messages have changed its part of the model."""
        ...

    @property
    def centre(self) -> Iterate:
        """The part of the model it holds, shape (n,), as it is evaluated and copied."""
        ...

    def on_message(self, sender: Rank, message: Message) -> Effects:
        """Take in what a worker sent."""
        ...

    def on_view(self, view: View) -> Effects:
        """Take in who is alive."""
        ...


class RandomStream(Protocol):
    """A seeded source of numbers in [0, 1); `random.Random` is one."""

    def random(self) -> float:
        """Return the next number."""
        ...


def uniform_rank(stream: RandomStream, view: View) -> Rank:
    """Draw one of the view's ranks, each with the same probability."""
    return view.members[int(stream.random() * len(view.members))].rank
