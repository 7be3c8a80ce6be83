"""How fast: a bucket of tokens, and growing pauses with jitter."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable


LONGEST_HOLD_SECONDS: Final = 60.0


class TokenBucket:
    """Lets `burst` through at once and `rate` per second in the long run, in order of asking."""

    def __init__(
        self, rate: float, burst: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()
        self._held_until = self._at

    def hold(self, seconds: float) -> None:
        """Let nothing more through for so long, a minute at most: the other side asked for it."""
        until = self._clock() + min(seconds, LONGEST_HOLD_SECONDS)
        self._held_until = max(self._held_until, until)

    def reserve(self) -> float:
        """Take a token; return the seconds to wait before it may be used."""
        self._refill()
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._rate, self._held_until - self._at)

    def try_take(self) -> bool:
        """Take a token if there is one now."""
        self._refill()
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now


def pause_after(attempt: int, *, first: float, longest: float) -> float:
    """Return the seconds to wait after the failed `attempt` (from 1): doubled, with jitter.

    The jitter takes away up to half, so that many that failed together do not come back together.
    """
    whole = min(longest, first * 2.0 ** min(attempt - 1, 32))
    return whole * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


def about(seconds: float) -> float:
    """Return `seconds` give or take a fifth."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - see above
