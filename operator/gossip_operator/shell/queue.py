"""Keys of jobs that somebody has to look at: merged, one at a time each, with pauses."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from gossip_operator.shell.pacing import pause_after

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

K = TypeVar("K", bound="Hashable")

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 60.0


class WorkQueue(Generic[K]):
    """A queue in which a key is at most once, and never while somebody works on it.

    Args:
        waited: told how many seconds a key lay in the queue.

    """

    def __init__(
        self,
        *,
        waited: Callable[[float], None] = lambda _: None,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self._waited = waited
        self._first_pause_seconds = first_pause_seconds
        self._waiting: dict[K, float] = {}
        self._at_work: set[K] = set()
        self._again: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._filled = asyncio.Event()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: K) -> None:
        """Have the key looked at: now, or once more if somebody is at it."""
        if self._is_closed:
            return
        if key in self._at_work:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = time.monotonic()
            self._filled.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Have the key looked at in a while; of several such wishes the earliest counts."""
        if self._is_closed:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + max(seconds, 0.0)
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._ring, key)

    def retry(self, key: K, *, at_least: float = 0.0) -> float:
        """Have a key that failed looked at after a pause that grows; return its seconds."""
        attempt = self._failures[key] = self._failures.get(key, 0) + 1
        pause = pause_after(attempt, first=self._first_pause_seconds, longest=LONGEST_PAUSE_SECONDS)
        pause = max(pause, at_least)
        self.add_after(key, pause)
        return pause

    def succeeded(self, key: K) -> None:
        """Begin with short pauses again."""
        self._failures.pop(key, None)

    def forget(self, key: K) -> None:
        """Drop all that is remembered of a key that nobody needs any more."""
        self._failures.pop(key, None)
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()

    async def take(self) -> K | None:
        """Wait for a key and begin to work on it; None once the queue is closed."""
        while not self._is_closed:
            if self._waiting:
                key = next(iter(self._waiting))
                self._waited(time.monotonic() - self._waiting.pop(key))
                self._at_work.add(key)
                return key
            self._filled.clear()
            await self._filled.wait()
        return None

    def done(self, key: K) -> None:
        """End work on a key; it is queued again if it was added meanwhile."""
        self._at_work.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        """Give out no more keys."""
        self._is_closed = True
        self._filled.set()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _ring(self, key: K) -> None:
        del self._timers[key]
        self.add(key)
