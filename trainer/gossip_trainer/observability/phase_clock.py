"""What a thread spends its time on: every moment between start and stop belongs to one phase."""

import threading
import time
from collections.abc import Callable, Mapping
from enum import StrEnum


class Phase(StrEnum):
    """What a training thread may be at; the metrics' registry says what each means."""

    DATA = "data"
    COMPUTE = "compute"
    COMMUNICATE = "communicate"
    WAIT = "wait"


class PhaseClock:
    """Adds up the seconds of each phase; one thread changes it, any may read it.

    Args:
        clock: seconds; only differences count.

    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._seconds = dict.fromkeys(Phase, 0.0)
        self._phase: Phase | None = None
        self._since = 0.0

    def start(self, phase: Phase) -> None:
        """Run from now on, beginning with that phase."""
        with self._guard:
            self._phase, self._since = phase, self._clock()

    def enter(self, phase: Phase) -> Phase | None:
        """Begin a phase; return the one before, which ends. Unless the clock runs, do nothing."""
        with self._guard:
            before = self._phase
            if before is not None:
                now = self._clock()
                self._seconds[before] += now - self._since
                self._phase, self._since = phase, now
        return before

    def stop(self) -> None:
        """Let no time pass until the next start."""
        with self._guard:
            if self._phase is not None:
                self._seconds[self._phase] += self._clock() - self._since
                self._phase = None

    def waiting(self, wait: Callable[[float], None]) -> Callable[[float], None]:
        """Return `wait` as a phase of its own, after which the one before goes on."""

        def timed(seconds: float) -> None:
            before = self.enter(Phase.WAIT)
            try:
                wait(seconds)
            finally:
                if before is not None:
                    self.enter(before)

        return timed

    def seconds(self) -> Mapping[Phase, float]:
        """Return the seconds of each phase so far, those of the one under way included."""
        with self._guard:
            seconds = dict(self._seconds)
            if self._phase is not None:
                seconds[self._phase] += self._clock() - self._since
        return seconds
