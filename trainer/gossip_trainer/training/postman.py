"""How a message is brought to its receiver, whatever the network does to it."""

import itertools
import threading
import time
from collections.abc import Callable
from typing import Final

from gossip_trainer.algorithms.effects import Party
from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.training.doubts import Doubts
from gossip_trainer.training.errand import Errand, Locate, Messenger
from gossip_trainer.transport.errors import Unsettled
from gossip_trainer.transport.verdicts import Declined, Pending, Verdict

INSIST_SECONDS: Final = 0.25  # until a patient message is tried again


class Postman:
    """Brings messages, one at a time; used by one thread.

    Args:
        messenger: the transport's client.
        locate: finds out where a party is.
        conclude: called by another thread with what became of a message that was put aside; None
            if its receiver is gone.
        patience_seconds: how long an answer is waited for before a message is put aside.

    """

    def __init__(
        self,
        messenger: Messenger,
        locate: Locate,
        conclude: Callable[[Errand, Verdict | None], None],
        *,
        patience_seconds: float,
    ) -> None:
        self._messenger = messenger
        self._locate = locate
        self._patience_seconds = patience_seconds
        self._closing = threading.Event()
        self._doubts = Doubts(messenger, locate, conclude)

    def is_in_doubt(self, party: Party) -> bool:
        """Tell whether a message to `party` was put aside; the next would make it outdated."""
        return self._doubts.holds(party)

    def bring(self, errand: Errand) -> Verdict | None:
        """Send a message and wait for the verdict; None if it was put aside.

        Raises:
            GossipTrainerError: nobody has taken it or will.

        """
        deadline = time.monotonic() + self._patience_seconds
        try:
            verdict = self._put(errand)
            while isinstance(verdict, Pending) and time.monotonic() < deadline:
                verdict = errand.settle(self._messenger)
        except Unsettled:
            verdict = Pending()
        if isinstance(verdict, Pending):
            self._doubts.add(errand)
            return None
        return verdict

    def insist(
        self, party: Party, make: Callable[[Endpoint, int], Errand]
    ) -> tuple[Errand, Verdict] | None:
        """Send a message to whoever is in the place of `party`, until somebody has answered it.

        Args:
            party: the receiver.
            make: makes the errand to a member, given how often the message was tried before.

        Returns:
            The last errand and the verdict on it; None once `close` was called.

        """
        for attempt in itertools.count():
            peer = self._locate(party)
            if peer is not None and not self.is_in_doubt(party):
                errand = make(peer, attempt)
                verdict = self._see_through(errand)
                if verdict is not None and not isinstance(verdict, Declined):
                    return errand, verdict
            if self._closing.wait(INSIST_SECONDS):
                break
        return None

    def close(self) -> tuple[threading.Thread, ...]:
        """Give up; return the threads that end once the messenger lets them."""
        self._closing.set()
        return self._doubts.close()

    def _put(self, errand: Errand) -> Verdict:
        try:
            return errand.put(self._messenger)
        except Unsettled as error:
            if error.stalled:
                raise
            # The line broke: over a new one the peer may tell at once.
            return errand.settle(self._messenger)

    def _see_through(self, errand: Errand) -> Verdict | None:
        """Send a message and find out what becomes of it; None if nobody alive has taken it."""
        verdict: Verdict | None = None
        try:
            verdict = errand.put(self._messenger)
        except Unsettled:
            pass
        except GossipTrainerError:
            return None
        while verdict is None or isinstance(verdict, Pending):
            if self._closing.is_set() or not errand.is_in_place(self._locate):
                return None
            try:
                verdict = errand.settle(self._messenger)
            except Unsettled:
                verdict = None
                self._closing.wait(INSIST_SECONDS)
        return verdict
