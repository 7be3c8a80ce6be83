"""Who watches a step boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gossip_trainer.algorithms.view import View
    from gossip_trainer.training.boundary import StepBoundary


class Observer(Protocol):
    """Told what happens; must not block."""

    def stepped(self, boundary: StepBoundary) -> None:
        """Note that a step is complete."""
        ...

    def exchange_lost(self, peer: str, step: int, reason: str) -> None:
        """Note that a fetch or a message came to nothing."""
        ...

    def view_changed(self, view: View) -> None:
        """Note that the algorithm works with a new view."""
        ...


class NoObserver:
    """Nobody."""

    def stepped(self, boundary: StepBoundary) -> None:
        """Ignore it."""

    def exchange_lost(self, peer: str, step: int, reason: str) -> None:
        """Ignore it."""

    def view_changed(self, view: View) -> None:
        """Ignore it."""
