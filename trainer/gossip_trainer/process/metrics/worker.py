"""A worker's metrics.

The training thread tells of steps, phases and models that came, a microsecond each; totals are read
from the boundary's counters when somebody asks for the page, means come with the event log's
reports.
"""

import math
import time
from collections.abc import Callable
from typing import Final

from torch import Tensor
from torch.linalg import vector_norm

from gossip_api.metrics import processes
from gossip_api.metrics.instruments import Instruments
from gossip_api.metrics.metric import Metric
from gossip_trainer.observability.events import Progress, Record, Reformed
from gossip_trainer.observability.phase_clock import Phase, PhaseClock
from gossip_trainer.process.metrics.page import Total
from gossip_trainer.training.boundary import StepBoundary
from gossip_trainer.training.counters import Counters
from gossip_trainer.training.observer import Observer

NORM_SECONDS: Final = 5.0  # how often the gradient's norm is taken

# Series of totals that the boundary counts, each with its labels.
_TOTALS: Final[tuple[tuple[Metric, dict[str, str], Callable[[Counters], float]], ...]] = (
    (processes.STEPS_TAKEN, {}, lambda counters: counters.own_steps),
    (processes.NONFINITE, {}, lambda counters: counters.nonfinite),
    (processes.EXCHANGES, {"result": "completed"}, lambda counters: counters.exchanges),
    (processes.EXCHANGES, {"result": "lost"}, lambda counters: counters.lost),
    (processes.EXCHANGES, {"result": "skipped"}, lambda counters: counters.skipped),
    (processes.HEARD, {}, lambda counters: counters.heard),
    (processes.BYTES, {"direction": "received"}, lambda counters: counters.received_bytes),
    (processes.UNPUBLISHED, {}, lambda counters: counters.unpublished),
)


class WorkerMetrics(Observer):
    """Watches one worker's training.

    Args:
        instruments: to set.
        gradient: returns the gradient of the step that was taken last.
        served_bytes: tells how many model bytes others have pulled.
        clock: seconds; only differences count.
        wall_clock: seconds since the epoch.

    Attributes:
        phases: what the training thread spends its time on.

    """

    def __init__(
        self,
        instruments: Instruments,
        gradient: Callable[[], Tensor],
        served_bytes: Callable[[], int],
        *,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.phases = PhaseClock(clock)
        self._gradient = gradient
        self._served_bytes = served_bytes
        self._clock = clock
        self._wall_clock = wall_clock
        self._boundary: StepBoundary | None = None
        self._stepped = math.nan  # by the clock
        self._stepped_at = math.nan  # by the wall clock
        self._norm_due = -math.inf
        self._generations = 0
        self._gauge, self._counter = instruments.gauge, instruments.counter
        self._step_seconds = instruments.histogram(processes.STEP_SECONDS)
        self._exchange_seconds = instruments.histogram(processes.EXCHANGE_SECONDS)
        self._staleness = instruments.histogram(processes.STALENESS)
        self._totals = [(_total(instruments, m, labels), read) for m, labels, read in _TOTALS]
        self._sent = _total(instruments, processes.BYTES, {"direction": "sent"})
        self._samples = _total(instruments, processes.SAMPLES, {})
        self._seconds = {
            phase: _total(instruments, processes.PHASE_SECONDS, {"phase": phase}) for phase in Phase
        }

    def entered(self, phase: Phase) -> None:
        """Let the phase before end."""
        self.phases.enter(phase)

    def stepped(self, boundary: StepBoundary) -> None:
        """Note how long the step took; now and then take the norm of its gradient."""
        now = self._clock()
        if self._boundary is not None:
            self._step_seconds.observe(now - self._stepped)
        self._boundary, self._stepped, self._stepped_at = boundary, now, self._wall_clock()
        if now >= self._norm_due:
            self._norm_due = now + NORM_SECONDS
            self._gauge(processes.GRADIENT_NORM).set(vector_norm(self._gradient()).item())

    def took_in(self, age: int) -> None:
        """Note the age; a peer that is ahead has a fresh model."""
        self._staleness.observe(max(0, age))

    def exchange_ended(self, seconds: float) -> None:
        """Note how long an exchange took; safe from any thread."""
        self._exchange_seconds.observe(seconds)

    def checkpoint_saved(self, seconds: float) -> None:
        """Note that a checkpoint is whole, and how long it took; safe from any thread."""
        self._counter(processes.CHECKPOINTS).labels(result="saved").inc()
        self._gauge(processes.CHECKPOINT_SECONDS).set(seconds)
        self._gauge(processes.LAST_CHECKPOINT).set(self._wall_clock())

    def checkpoint_failed(self) -> None:
        """Note that a checkpoint could not be written; safe from any thread."""
        self._counter(processes.CHECKPOINTS).labels(result="failed").inc()

    def note(self, record: Record) -> None:
        """Take in a report, or a new group."""
        match record:
            case Progress():
                loss = math.nan if record.loss is None else record.loss
                self._gauge(processes.LOSS).set(loss)
                self._gauge(processes.LEARNING_RATE).set(record.learning_rate)
            case Reformed():
                self._counter(processes.GENERATIONS).inc()
            case _:
                pass

    def refresh(self) -> None:
        """Read the totals."""
        for phase, seconds in self.phases.seconds().items():
            self._seconds[phase].set(seconds)
        boundary = self._boundary
        if boundary is None:
            return
        counters = boundary.counters
        for total, read in self._totals:
            total.set(read(counters))
        self._samples.set(boundary.own_samples)
        self._sent.set(counters.sent_bytes + self._served_bytes())
        self._gauge(processes.STEP).set(counters.steps)
        self._gauge(processes.LAST_STEP).set(self._stepped_at)
        self._gauge(processes.PUSH_SUM_WEIGHT).set(boundary.weight)


def _total(instruments: Instruments, metric: Metric, labels: dict[str, str]) -> Total:
    counter = instruments.counter(metric)
    return Total(counter.labels(**labels) if labels else counter)
