"""Virtual time: what happens when, in an order that depends on nothing but what was asked for.

Events of the same moment happen in the order in which they were asked for. A process is a
generator that yields how long it sleeps, or a signal that it waits for; it reads like the straight
program it stands for.
"""

import heapq
import math
from collections.abc import Callable, Generator
from typing import TypeVar

from gossip_trainer.errors import RunError

T = TypeVar("T")


class Event:
    """Something that will happen, unless it is cancelled."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Make it not happen."""
        self._call = None

    def happen(self) -> None:
        """Happen, once."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Clock:
    """A heap of (time, number, event).

    Attributes:
        now: virtual seconds since the beginning.

    """

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Event]] = []
        self._count = 0

    def after(self, seconds: float, call: Callable[[], None]) -> Event:
        """Call `call` in so many seconds, after everything already due at that moment."""
        assert seconds >= 0.0
        event = Event(call)
        heapq.heappush(self._heap, (self.now + seconds, self._count, event))
        self._count += 1
        return event

    def run_while(self, going: Callable[[], bool]) -> None:
        """Let events happen in their order while `going()` holds before each.

        Raises:
            RunError: nothing is left to happen; somebody waits for ever.

        """
        while going():
            if not self._heap:
                raise RunError(f"at {self.now:.6g} s of virtual time everybody waits for nothing")
            self.now, _, event = heapq.heappop(self._heap)
            event.happen()


class Signal:
    """Happens once; wakes those that wait for it in the order in which they came."""

    __slots__ = ("_waiting", "given")

    def __init__(self) -> None:
        self.given = False
        self._waiting: list[Callable[[], None]] = []

    def give(self) -> None:
        """Happen now."""
        self.given = True
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()

    def wake(self, call: Callable[[], None]) -> None:
        """Call `call` when it happens; at once if it has."""
        if self.given:
            call()
        else:
            self._waiting.append(call)


class Bell:
    """Wakes a process that waits for news; a ring that nobody waits for shortens the next wait."""

    __slots__ = ("_clock", "_rung", "_signal", "_timer")

    def __init__(self, clock: "Clock") -> None:
        self._clock = clock
        self._rung = False
        self._signal: Signal | None = None
        self._timer: Event | None = None

    def ring(self) -> None:
        """Wake the one that waits."""
        signal, self._signal = self._signal, None
        if signal is None:
            self._rung = True
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        signal.give()

    def wait(self, seconds: float) -> Signal:
        """Return what is given when the bell rings or `seconds` are over."""
        signal = Signal()
        if self._rung:
            self._rung = False
            signal.give()
            return signal
        self._signal = signal
        if math.isfinite(seconds):
            self._timer = self._clock.after(seconds, self.ring)
        return signal


Life = Generator[float | Signal, None, None]


def drive(steps: Generator[float, None, T], bell: Bell) -> Generator[float | Signal, None, T]:
    """Run a step boundary's generator within a process, waiting for the bell where it waits."""
    while True:
        try:
            seconds = next(steps)
        except StopIteration as end:
            value: T = end.value
            return value
        yield bell.wait(seconds)


class Process:
    """Runs a generator over a clock: a number it yields is seconds to sleep."""

    def __init__(self, clock: Clock, life: Life) -> None:
        self._clock = clock
        self._life: Life | None = life

    def start(self) -> None:
        """Begin at this moment, after everything already due at it."""
        self._clock.after(0.0, self._go_on)

    def kill(self) -> None:
        """End where it is; it never goes on."""
        self._life = None

    def _go_on(self) -> None:
        if self._life is None:
            return
        awaited = next(self._life, None)
        if awaited is None:
            self._life = None
        elif isinstance(awaited, Signal):
            awaited.wake(self._go_on)
        else:
            self._clock.after(awaited, self._go_on)
