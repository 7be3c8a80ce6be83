"""Who watches a step boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gossip_trainer.algorithms.view import View
    from gossip_trainer.observability.phase_clock import Phase
    from gossip_trainer.training.boundary import StepBoundary


class Observer:
    """Told what happens, by the training thread; must not block. This one ignores it all."""

    def entered(self, phase: Phase) -> None:
        """Note what the time is spent on from now on; waits are noted by whoever waits."""

    def stepped(self, boundary: StepBoundary) -> None:
        """Note that a step is complete."""

    def exchanged(self, peer: str) -> None:
        """Note that an own fetch or message ended well."""

    def took_in(self, age: int) -> None:
        """Note that a peer's model came, so many steps older than the own; negative if newer."""

    def exchange_lost(self, peer: str, step: int, reason: str) -> None:
        """Note that a fetch or a message came to nothing."""

    def view_changed(self, view: View) -> None:
        """Note that the algorithm works with a new view."""


class Observers(Observer):
    """Several, each told everything in turn."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def entered(self, phase: Phase) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.entered(phase)

    def stepped(self, boundary: StepBoundary) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.stepped(boundary)

    def exchanged(self, peer: str) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.exchanged(peer)

    def took_in(self, age: int) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.took_in(age)

    def exchange_lost(self, peer: str, step: int, reason: str) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.exchange_lost(peer, step, reason)

    def view_changed(self, view: View) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.view_changed(view)
