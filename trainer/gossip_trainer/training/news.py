"""How a training thread waits: until another thread has news, and never for long."""

import threading
from collections.abc import Callable, Generator
from typing import TypeVar

WAIT_SLICE_SECONDS = 0.5  # how soon a waiting worker notices that the job ends

T = TypeVar("T")


class News:
    """A bell that threads ring for one that waits."""

    def __init__(self) -> None:
        self._bell = threading.Event()

    def ring(self) -> None:
        """Wake the one that waits, or let its next wait be short; safe from any thread."""
        self._bell.set()

    def wait(self, seconds: float) -> None:
        """Return when the bell has been rung since the last call, or after `seconds`."""
        self._bell.wait(min(seconds, WAIT_SLICE_SECONDS))
        self._bell.clear()


def drive(steps: Generator[float, None, T], wait: Callable[[float], None]) -> T:
    """Run a step boundary's generator to its end, waiting wherever it has to; return its value."""
    while True:
        try:
            seconds = next(steps)
        except StopIteration as end:
            value: T = end.value
            return value
        wait(seconds)
