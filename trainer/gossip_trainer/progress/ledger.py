"""The job-wide count of samples, kept by gossip alone.

Every worker process has a tally that only it increases. Whoever exchanges anything exchanges the
tallies too, in both directions, and merges them by maximum; so everyone's total only grows and
never exceeds the truth. A restarted process starts a tally of its own under a newer key and carries
what is known of its rank's earlier ones; merging keeps one tally per rank.

The stop record is grow-only as well: of two, the earlier stays. Pure data; no clock, no lock.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import msgspec


class StopReason(StrEnum):
    """Why the job as a whole ends."""

    BUDGET = "budget"
    TARGET = "target"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"


class Stop(msgspec.Struct, frozen=True, array_like=True):
    """Who ended the job, when (seconds since the epoch) and why."""

    at: float
    by: str
    reason: StopReason


class Tally(NamedTuple):
    """Samples of one rank: of its newest process, and of the processes before it."""

    incarnation: int
    started: int  # start of the process, nanoseconds since the epoch: tells restarts apart
    carried: int  # samples of earlier processes of the rank
    own: int  # samples of this process

    @property
    def key(self) -> tuple[int, int]:
        """Which process; newer ones compare greater."""
        return (self.incarnation, self.started)

    @property
    def total(self) -> int:
        """All samples of the rank."""
        return self.carried + self.own


def merge_tallies(a: Tally, b: Tally) -> Tally:
    """Return the least tally that knows what `a` and `b` know of one rank."""
    if a.key == b.key:
        return Tally(a.incarnation, a.started, max(a.carried, b.carried), max(a.own, b.own))
    newer, older = (a, b) if a.key > b.key else (b, a)
    return newer._replace(carried=max(newer.carried, older.total))


class LedgerRecord(msgspec.Struct, frozen=True, array_like=True):
    """A ledger as it travels: rows of (rank, incarnation, started, carried, own)."""

    began: float
    rows: tuple[tuple[int, int, int, int, int], ...]
    stop: Stop | None = None


@dataclass(slots=True)
class Ledger:
    """What one process knows of the whole job.

    Attributes:
        began: when the first worker began, seconds since the epoch; merged by minimum and
            infinite before anyone began.
        tallies: samples by rank.
        stop: set once the job is to end.

    """

    began: float = math.inf
    tallies: dict[int, Tally] = field(default_factory=dict)
    stop: Stop | None = None

    @property
    def samples(self) -> int:
        """All samples known of; never more than were really processed."""
        return sum(tally.total for tally in self.tallies.values())

    def add_tally(self, rank: int, tally: Tally) -> None:
        """Merge one tally in."""
        known = self.tallies.get(rank)
        self.tallies[rank] = tally if known is None else merge_tallies(known, tally)

    def end(self, stop: Stop) -> None:
        """Record that the job ends; of two records the earlier stays."""
        if self.stop is None or (stop.at, stop.by) < (self.stop.at, self.stop.by):
            self.stop = stop

    def merge(self, record: LedgerRecord) -> None:
        """Take in what somebody else knows."""
        self.began = min(self.began, record.began)
        for rank, incarnation, started, carried, own in record.rows:
            self.add_tally(rank, Tally(incarnation, started, carried, own))
        if record.stop is not None:
            self.end(record.stop)

    def record(self) -> LedgerRecord:
        """Return the ledger as it travels."""
        rows = tuple((rank, *tally) for rank, tally in self.tallies.items())
        return LedgerRecord(self.began, rows, self.stop)
