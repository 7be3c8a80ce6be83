"""Waiting for what another process does: always with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

from testbed.errors import BedError

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str, *, seconds: float = 60) -> T:
    """Ask until the answer is true and return it; BedError after so many seconds."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            raise BedError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)
    return answer
