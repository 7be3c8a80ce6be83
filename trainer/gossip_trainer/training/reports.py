"""Turns what a step boundary counts into the event log's records."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from torch.optim import Optimizer

from gossip_trainer.algorithms.view import View
from gossip_trainer.observability.event_log import EventSink
from gossip_trainer.observability.events import ExchangeLost, Progress, ViewChanged
from gossip_trainer.training.boundary import StepBoundary
from gossip_trainer.training.counters import Counters
from gossip_trainer.training.observer import Observer

REPORT_SECONDS = 1.0


class SentBytes(Protocol):
    """Knows how many model bytes were served."""

    @property
    def sent_bytes(self) -> int:
        """Model bytes sent so far."""
        ...


class EventObserver(Observer):
    """Emits a Progress record about once a second, and the others as they happen."""

    def __init__(
        self,
        events: EventSink,
        server: SentBytes,
        optimizer: Optimizer,
        *,
        first_step: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events = events
        self._server = server
        self._optimizer = optimizer
        self._clock = clock
        self._last = Counters(steps=first_step)
        self._loss: float | None = None
        self._last_samples = 0
        self._last_time = clock()
        self._met: Counter[str] = Counter()

    def stepped(self, boundary: StepBoundary) -> None:
        """Report if it is time."""
        if self._clock() - self._last_time >= REPORT_SECONDS:
            self.report(boundary)

    def report(self, boundary: StepBoundary) -> None:
        """Report now; means are over the time since the last report."""
        now, counters, last = self._clock(), boundary.counters, self._last
        steps = counters.own_steps - last.own_steps
        mixed = counters.num_stale - last.num_stale
        stale = counters.staleness_sum - last.staleness_sum
        if counters.nonfinite != last.nonfinite:
            self._loss = None
        elif steps > 0:
            self._loss = (counters.loss_sum - last.loss_sum) / steps
        samples = boundary.own_samples
        self._events.emit(
            Progress(
                step=counters.steps,
                samples=samples,
                job_samples=boundary.job_samples,
                epoch=boundary.epoch,
                loss=self._loss,
                learning_rate=self._optimizer.param_groups[0]["lr"],
                samples_per_second=(samples - self._last_samples)
                / max(now - self._last_time, 1e-9),
                exchanges=counters.exchanges,
                heard=counters.heard,
                lost=counters.lost,
                skipped=counters.skipped,
                staleness=stale / mixed if mixed else None,
                received_bytes=counters.received_bytes,
                sent_bytes=self._server.sent_bytes + counters.sent_bytes,
                unpublished=counters.unpublished,
                peers=len(boundary.view.members) - 1,
                met=dict(self._met),
            )
        )
        self._met.clear()
        self._last = counters.copy()
        self._last_samples, self._last_time = samples, now

    def exchanged(self, peer: str) -> None:
        """Count whom the next report tells of."""
        self._met[peer] += 1

    def exchange_lost(self, peer: str, step: int, reason: str) -> None:
        """Report a lost exchange."""
        self._events.emit(ExchangeLost(peer=peer, step=step, reason=reason))

    def view_changed(self, view: View) -> None:
        """Report a changed view."""
        self._events.emit(ViewChanged(version=view.version, ranks=view.ranks))
