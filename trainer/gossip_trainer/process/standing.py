"""How this process fares: what it tells Kubernetes, the operator and, at the end, posterity.

It is told what the event log is told, about once a second, so the training loop pays nothing for
it. The threads that serve it read whole records, each replaced at once.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gossip_api.names import Member, Role
from gossip_api.process import REASON_LIMIT, LastWords, Phase, ProcessStatus, Score, Stop
from gossip_trainer.observability.events import (
    Began,
    Evaluation,
    Failed,
    Fenced,
    Finished,
    Progress,
    Record,
)
from gossip_trainer.progress.budget import BudgetMeter, Done
from gossip_trainer.progress.shared import JobProgress

DEAF_PHASES: tuple[Phase, ...] = ("Starting", "Leaving")


@dataclass(frozen=True, slots=True)
class Prospect:
    """Where what is not in the event log comes from.

    Attributes:
        progress: the job's counters.
        meter: of the job's budget.
        num_peers: counts the other workers that live.

    """

    progress: JobProgress
    meter: BudgetMeter
    num_peers: Callable[[], int]


class Standing:
    """One process's standing; changed by its main thread, read by others.

    Args:
        member: who it is.
        wall_clock: seconds since the epoch.

    Attributes:
        started: when the process began, seconds since the epoch.
        phase: what it is at.
        step: own optimizer steps; a server's version.
        has_left: whether it was told to go before its work was done.
        model: where the evaluator saved the job's final model, if it did.

    """

    def __init__(self, member: Member, wall_clock: Callable[[], float] = time.time) -> None:
        self._member = member
        self._wall_clock = wall_clock
        self.started = wall_clock()
        self.phase: Phase = "Starting"
        self.step = 0
        self._prospect: Prospect | None = None
        self._report: Progress | None = None
        self._score: Score | None = None
        self._result: Score | None = None
        self._reason: str | None = None
        self._released = False
        self.has_left = False
        self.model: str | None = None

    def look_at(self, prospect: Prospect) -> None:
        """Tell of the whole job as well, from now on."""
        self._prospect = prospect

    def note(self, record: Record) -> None:
        """Take in what the event log is told."""
        match record:
            case Began():
                self.step = record.step
            case Progress():
                self._report, self.step = record, record.step
            case Evaluation():
                self._score = _score(record)
                if record.final:
                    self._result = self._score
            case Finished():
                self.step, self._released = record.step, record.released
                self.has_left = record.left
            case Failed():
                self._reason = record.reason
            case Fenced():
                self._reason = f"replaced by {record.successor}"
            case _:
                pass

    @property
    def is_ready(self) -> bool:
        """Whether others may begin something with it."""
        return self.phase not in DEAF_PHASES

    def status(self) -> ProcessStatus:
        """Return how it stands now."""
        report = self._report
        job_samples, stop, fraction, epoch, peers = 0, None, None, 0.0, 0
        if (prospect := self._prospect) is not None:
            job_samples, stop = prospect.progress.samples, _stop(prospect.progress)
            epoch = prospect.meter.epoch(job_samples)
            fraction = self._fraction(prospect)
            peers = prospect.num_peers()
        return ProcessStatus(
            role=self._member.role,
            rank=self._member.index,
            incarnation=self._member.incarnation,
            phase=self.phase,
            step=self.step,
            samples=self._samples,
            job_samples=job_samples,
            epoch=epoch,
            fraction=fraction,
            samples_per_second=None if report is None else _finite(report.samples_per_second),
            loss=None if report is None else _finite(report.loss),
            peers=peers,
            stop=stop,
            score=self._score,
        )

    def last_words(self, *, finished: bool) -> LastWords:
        """Return what to leave behind; `finished` says whether it came to its end by itself."""
        finished = finished and not self.has_left
        progress = None if self._prospect is None else self._prospect.progress
        reason = self._reason
        return LastWords(
            step=self.step,
            samples=self._samples,
            job_samples=0 if progress is None else progress.samples,
            finished=finished,
            released=self._released,
            stop=None if progress is None else _stop(progress),
            model=self.model,
            result=self._result if self._member.role is Role.EVALUATOR and finished else None,
            reason=None if reason is None else " ".join(reason.split())[:REASON_LIMIT],
        )

    @property
    def _samples(self) -> int:
        return 0 if self._prospect is None else self._prospect.progress.own_samples

    def _fraction(self, prospect: Prospect) -> float:
        progress = prospect.progress
        done = Done(progress.samples, progress.seconds(self._wall_clock()), self.step)
        return prospect.meter.fraction(done)


def _score(record: Evaluation) -> Score:
    return Score(
        loss=_finite(record.loss),
        accuracy=_finite(record.accuracy),
        consensus_distance=_finite(record.consensus_distance),
        job_samples=record.job_samples,
        epoch=record.epoch,
    )


def _stop(progress: JobProgress) -> Stop | None:
    stop = progress.stop
    return None if stop is None else Stop(reason=stop.reason.value, by=stop.by)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
