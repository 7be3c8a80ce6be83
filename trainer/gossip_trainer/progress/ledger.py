"""The job-wide count of samples, kept by gossip alone.

Every worker process has a count that only it increases. Whoever exchanges anything exchanges all
counts, in both directions, and merges them by maximum: that is commutative, associative and
idempotent, so everyone's total only grows, never exceeds the truth, and reaches it once everybody
has heard of everybody, in whatever order. A restarted process counts under a key of its own beside
its rank's earlier ones.

The stop record is grow-only as well: of two, the earlier stays. Pure data; no clock, no lock.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

Natural = Annotated[int, msgspec.Meta(ge=0)]


class StopReason(StrEnum):
    """Why the job as a whole ends."""

    BUDGET = "budget"
    TARGET = "target"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"


class Stop(msgspec.Struct, frozen=True, array_like=True):
    """Who ended the job, when (seconds since the epoch) and why."""

    at: float
    by: str
    reason: StopReason


class ProcessKey(NamedTuple):
    """One process of a rank; `started`, in nanoseconds since the epoch, tells restarts apart."""

    rank: int
    incarnation: int
    started: int


class LedgerRecord(msgspec.Struct, frozen=True, array_like=True):
    """A ledger as it travels: rows of (rank, incarnation, started, samples)."""

    began: float
    rows: tuple[tuple[Natural, Natural, Natural, Natural], ...]
    stop: Stop | None = None


@dataclass(slots=True)
class Ledger:
    """What one process knows of the whole job.

    Attributes:
        began: when the first worker began, seconds since the epoch; merged by minimum and
            infinite before anyone began.
        counts: samples by process.
        stop: set once the job is to end.

    """

    began: float = math.inf
    counts: dict[ProcessKey, int] = field(default_factory=dict)
    stop: Stop | None = None

    @property
    def samples(self) -> int:
        """All samples known of; never more than were really processed."""
        return sum(self.counts.values())

    def count(self, key: ProcessKey, samples: int) -> None:
        """Take in that a process has processed so many samples."""
        self.counts[key] = max(samples, self.counts.get(key, 0))

    def end(self, stop: Stop) -> None:
        """Record that the job ends; of two records the earlier stays."""
        if self.stop is None or (stop.at, stop.by) < (self.stop.at, self.stop.by):
            self.stop = stop

    def merge(self, record: LedgerRecord) -> None:
        """Take in what somebody else knows."""
        self.began = min(self.began, record.began)
        for rank, incarnation, started, samples in record.rows:
            self.count(ProcessKey(rank, incarnation, started), samples)
        if record.stop is not None:
            self.end(record.stop)

    def record(self) -> LedgerRecord:
        """Return the ledger as it travels."""
        rows = tuple((*key, samples) for key, samples in self.counts.items())
        return LedgerRecord(self.began, rows, self.stop)
