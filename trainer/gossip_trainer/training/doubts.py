"""Messages that were put aside: what became of them is found out later."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import torch

from gossip_trainer.algorithms.effects import Party
from gossip_trainer.training.errand import Errand, Locate, Messenger
from gossip_trainer.transport.errors import Unsettled
from gossip_trainer.transport.verdicts import Pending, Verdict

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0


@dataclass(slots=True)
class _Doubt:
    errand: Errand
    due: float
    pause: float = FIRST_PAUSE_SECONDS


class Doubts:
    """Asks on and on what became of messages, in a thread that begins with the first of them.

    Args:
        messenger: the transport's client.
        locate: finds out where a party is.
        conclude: called by the thread with what became of one; None if its receiver is gone.

    """

    def __init__(
        self,
        messenger: Messenger,
        locate: Locate,
        conclude: Callable[[Errand, Verdict | None], None],
    ) -> None:
        self._messenger = messenger
        self._locate = locate
        self._conclude = conclude
        self._changed = threading.Condition()
        self._doubts: dict[Party, _Doubt] = {}
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def add(self, errand: Errand) -> None:
        """Ask about `errand` from now on; its answer goes to a buffer of its own."""
        errand = replace(errand, answer=torch.empty_like(errand.answer))
        with self._changed:
            self._doubts[errand.send.to] = _Doubt(errand, time.monotonic() + FIRST_PAUSE_SECONDS)
            self._changed.notify()
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._serve, name="doubts", daemon=True)
                self._thread.start()

    def holds(self, party: Party) -> bool:
        """Tell whether a message to `party` is in doubt; it must not be sent another one then."""
        with self._changed:
            return party in self._doubts

    def close(self) -> tuple[threading.Thread, ...]:
        """Ask no more; return the threads that end once the messenger lets them."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
            return () if self._thread is None else (self._thread,)

    def _serve(self) -> None:
        while (doubt := self._next()) is not None:
            errand = doubt.errand
            verdict: Verdict | None = None
            if errand.is_in_place(self._locate):
                try:
                    verdict = errand.settle(self._messenger)
                except Unsettled:
                    self._postpone(doubt, min(2 * doubt.pause, LONGEST_PAUSE_SECONDS))
                    continue
                if isinstance(verdict, Pending):
                    self._postpone(doubt, FIRST_PAUSE_SECONDS)
                    continue
            with self._changed:
                del self._doubts[errand.send.to]
            self._conclude(errand, verdict)

    def _next(self) -> _Doubt | None:
        """Wait until one is due; None once there is nothing to wait for any more."""
        with self._changed:
            while not self._is_closed:
                first = min(self._doubts.values(), key=lambda doubt: doubt.due, default=None)
                left = None if first is None else first.due - time.monotonic()
                if first is not None and left is not None and left <= 0:
                    return first
                self._changed.wait(left)
        return None

    def _postpone(self, doubt: _Doubt, seconds: float) -> None:
        with self._changed:
            doubt.pause, doubt.due = seconds, time.monotonic() + seconds
