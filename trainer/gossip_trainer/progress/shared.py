"""The ledger inside one process: counted by its training thread, carried by its transport threads.

Every request and every reply between two processes of the job brings one blob each way: the
ledger, whether the sender (only the evaluator does) releases finished workers, and a notice where
workers have more to tell each other.
"""

import math
import threading
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol

import msgspec

from gossip_api.names import Role, parse_member_name
from gossip_trainer.errors import ProgressError
from gossip_trainer.progress.ledger import Ledger, LedgerRecord, ProcessKey, Stop, StopReason

NEVER_HEARD = float("-inf")


class _Blob(msgspec.Struct, frozen=True, array_like=True):
    ledger: LedgerRecord
    released: bool = False
    notice: bytes = b""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Blob)


class Notices(Protocol):
    """What else travels with the counters; called from any thread."""

    def send(self) -> bytes:
        """Return what the other side should read."""
        ...

    def receive(self, member: str, notice: bytes) -> None:
        """Take in what `member` wrote, which is not empty; raise a GossipTrainerError."""
        ...


class JobProgress:
    """A process's own count and what it has heard of everybody else's; safe to share by threads.

    Args:
        clock: monotonic seconds, to tell how long ago the evaluator was heard.
        on_process: called, without the lock, with rank and incarnation of every process that is
            heard of for the first time.

    Attributes:
        evaluator_heard: when the evaluator was last heard, by `clock`.
        notices: what else travels, if anything; set before anything does.
        earlier_seconds: what the job had trained before the processes that train now.

    """

    def __init__(
        self,
        clock: Callable[[], float],
        on_process: Callable[[int, int], None] = lambda _rank, _incarnation: None,
    ) -> None:
        self._clock = clock
        self._on_process = on_process
        self.notices: Notices | None = None
        # Re-entrant: a signal handler may end the job while its own thread holds the lock.
        self._lock = threading.RLock()
        self._ledger = Ledger()
        self._own: ProcessKey | None = None
        self._own_samples = 0
        self._others = 0
        self._released = False
        self.evaluator_heard = NEVER_HEARD
        self.earlier_seconds = 0.0

    def begin(self, rank: int, incarnation: int, at: float) -> None:
        """Open this process's count.

        `at` is in seconds since the epoch and tells two processes of one incarnation apart.
        """
        with self._lock:
            self._own = ProcessKey(rank, incarnation, int(at * 1e9))
            self._ledger.began = min(self._ledger.began, at)

    def rows(self) -> tuple[tuple[int, int, int, int], ...]:
        """Return all counts that are known, the own one among them, for `take_over`."""
        with self._lock:
            if self._own is not None:
                self._ledger.count(self._own, self._own_samples)
            return self._ledger.record().rows

    def take_over(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        """Count what earlier processes of the job have processed."""
        with self._lock:
            self._ledger.merge(LedgerRecord(math.inf, tuple(rows)))
            own = self._ledger.counts.get(self._own, 0) if self._own is not None else 0
            self._others = self._ledger.samples - own

    def count(self, samples: int) -> None:
        """Add samples to the own count; called by the training thread alone."""
        self._own_samples += samples

    @property
    def samples(self) -> int:
        """Samples of the whole job, as far as known."""
        return self._others + self._own_samples

    @property
    def own_samples(self) -> int:
        """Samples of this process."""
        return self._own_samples

    @property
    def began(self) -> float:
        """When the first worker known of began, seconds since the epoch; infinite before."""
        return self._ledger.began

    def seconds(self, at: float) -> float:
        """Return how long the job has trained at a time of the wall clock."""
        return self.earlier_seconds + max(0.0, at - self.began)

    @property
    def stop(self) -> Stop | None:
        """Set once the job is to end."""
        return self._ledger.stop

    @property
    def released(self) -> bool:
        """Whether the evaluator has told finished workers to go."""
        return self._released

    def end(self, reason: StopReason, by: str, at: float) -> None:
        """Record that the job ends, for everyone to hear."""
        with self._lock:
            self._ledger.end(Stop(at, by, reason))

    def release(self) -> None:
        """Tell everyone from now on that finished workers may go."""
        self._released = True

    def send(self) -> bytes:
        """Return what the other side of an exchange should know."""
        with self._lock:
            if self._own is not None:
                self._ledger.count(self._own, self._own_samples)
            notice = b"" if self.notices is None else self.notices.send()
            return _ENCODER.encode(_Blob(self._ledger.record(), self._released, notice))

    def receive(self, member: str, blob: bytes) -> None:
        """Take in what `member` knows; raises ProgressError on anything malformed."""
        try:
            heard = _DECODER.decode(blob)
            role = parse_member_name(member).role
        except (msgspec.DecodeError, ValueError) as error:
            raise ProgressError(f"{member!r} sent counters that make no sense: {error}") from error
        with self._lock:
            known = len(self._ledger.counts)
            self._ledger.merge(heard.ledger)
            new = tuple(islice(self._ledger.counts, known, None))
            # `samples` is read at every step, without the lock: others are summed up only here.
            own = self._ledger.counts.get(self._own, 0) if self._own is not None else 0
            self._others = self._ledger.samples - own
        if heard.notice and self.notices is not None:
            self.notices.receive(member, heard.notice)
        if role is Role.EVALUATOR:
            self.evaluator_heard = self._clock()
            self._released = self._released or heard.released
        for key in new:
            self._on_process(key.rank, key.incarnation)
