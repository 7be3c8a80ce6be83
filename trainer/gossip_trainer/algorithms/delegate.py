"""Stands in for an algorithm and passes everything on, for those that watch or time it."""

from torch import Tensor

from gossip_trainer.algorithms.base import Algorithm, State
from gossip_trainer.algorithms.effects import (
    Average,
    Effects,
    Fetch,
    Hear,
    Loss,
    Message,
    Party,
    Send,
)
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.view import View


class Delegate(Algorithm):
    """Passes on to `inner`, and keeps no state of its own."""

    def __init__(self, inner: Algorithm) -> None:
        self.inner = inner
        self.rank = inner.rank
        self.steps_locally = inner.steps_locally
        self.exchanges_on_gradient = inner.exchanges_on_gradient
        self.keeps_equal = inner.keeps_equal

    @property
    def view(self) -> View:  # type: ignore[override]
        """The inner one's."""
        return self.inner.view

    @property
    def idle(self) -> bool:
        """The inner one's."""
        return self.inner.idle

    @idle.setter
    def idle(self, idle: bool) -> None:
        self.inner.idle = idle

    @property
    def weight(self) -> float:  # type: ignore[override]
        """The inner one's."""
        return self.inner.weight

    def before_step(self, x: Iterate) -> None:
        """Pass on."""
        self.inner.before_step(x)

    def on_gradient(self, x: Iterate, gradient: Tensor) -> Effects:
        """Pass on."""
        return self.inner.on_gradient(x, gradient)

    def on_step(self, x: Iterate) -> Effects:
        """Pass on."""
        return self.inner.on_step(x)

    def on_answer(self, effect: Fetch | Send, message: Message | None, x: Iterate) -> Effects:
        """Pass on."""
        return self.inner.on_answer(effect, message, x)

    def on_message(self, sender: Party, message: Message, x: Iterate) -> Effects:
        """Pass on."""
        return self.inner.on_message(sender, message, x)

    def on_averaged(self, effect: Average, x: Iterate) -> Effects:
        """Pass on."""
        return self.inner.on_averaged(effect, x)

    def on_lost(self, effect: Fetch | Send | Hear, reason: Loss, x: Iterate) -> Effects:
        """Pass on."""
        return self.inner.on_lost(effect, reason, x)

    def on_view(self, view: View) -> Effects:
        """Pass on."""
        return self.inner.on_view(view)

    def on_group(self, x: Iterate) -> Effects:
        """Pass on."""
        return self.inner.on_group(x)

    def state(self, x: Iterate) -> State:
        """Pass on."""
        return self.inner.state(x)

    def restore(self, counts: tuple[int, ...]) -> None:
        """Pass on."""
        self.inner.restore(counts)

    def on_finish(self, x: Iterate) -> Effects:
        """Pass on."""
        return self.inner.on_finish(x)
