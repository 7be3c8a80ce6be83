"""The history of a run: its event records, sorted into what they are about.

A pure fold. It takes records in any order and in any number of parts, and makes the best of a log
that ends in the middle, as that of a killed run does. Knows neither files nor the job.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from gossip_api.names import Member, Role, parse_member_name
from gossip_trainer.observability.events import (
    Began,
    Evaluation,
    ExchangeLost,
    Failed,
    Finished,
    Left,
    Progress,
    Record,
    Replaced,
    Started,
    Stopping,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Kind = TypeVar("Kind", bound=Record)


@dataclass(frozen=True, slots=True)
class WorkerHistory:
    """What one worker process told, and what was told about it; None where nothing was."""

    member: Member
    started: Started | None = None
    began: Began | None = None
    progress: tuple[Progress, ...] = ()  # by time
    exchange_losses: int = 0  # records of lost exchanges; Progress counts them too, but later
    stopping: Stopping | None = None
    finished: Finished | None = None
    left: Left | None = None

    @property
    def name(self) -> str:
        """The member's name, such as `worker-3-0`."""
        return self.member.name

    @property
    def newest(self) -> Progress | None:
        """The newest progress."""
        return self.progress[-1] if self.progress else None

    @property
    def steps(self) -> int:
        """Optimizer steps of the process, as far as it told."""
        return max((told.step for told in (self.newest, self.finished) if told), default=0)

    @property
    def samples(self) -> int:
        """Samples of the process, as far as it told."""
        return max((told.samples for told in (self.newest, self.finished) if told), default=0)

    @property
    def trained_until(self) -> float | None:
        """When it stopped to train (seconds since the epoch): its last word where it did not."""
        told = self.stopping or self.finished or self.newest
        return told.time if told else None

    @property
    def is_lost(self) -> bool:
        """Whether the process ended badly."""
        return self.left is not None and self.left.exit_code != 0


@dataclass(frozen=True, slots=True)
class History:
    """A run as its records tell it; all tuples are sorted by time."""

    workers: Mapping[str, WorkerHistory] = field(default_factory=dict)  # by rank and incarnation
    evaluations: tuple[Evaluation, ...] = ()
    stopping: tuple[Stopping, ...] = ()
    left: tuple[Left, ...] = ()  # of every role
    replaced: tuple[Replaced, ...] = ()
    failed: tuple[Failed, ...] = ()
    last_time: float | None = None  # of the newest record

    @property
    def began_at(self) -> float | None:
        """When the first worker began to train, in seconds since the epoch."""
        times = [worker.began.time for worker in self.workers.values() if worker.began]
        return min(times, default=None)

    @property
    def training_seconds(self) -> float:
        """Seconds from the first worker's beginning to the last one's end of training."""
        ends = [end for worker in self.workers.values() if (end := worker.trained_until)]
        return max(0.0, self.seconds_at(max(ends, default=0.0)))

    @property
    def job_samples(self) -> int:
        """Samples of all workers.

        Every count in the log is a lower bound: what a worker did after its last word may be known
        to its peers only, and what all workers did is known to nobody at once.
        """
        own = sum(worker.samples for worker in self.workers.values())
        return max([own, *(told.job_samples for told in self._job_wide())])

    @property
    def epoch_samples(self) -> int | None:
        """Samples of one job-wide epoch; None before anybody told of one."""
        told = max(self._job_wide(), key=lambda record: record.job_samples, default=None)
        return round(told.job_samples / told.epoch) if told and told.epoch > 0 else None

    def seconds_at(self, time: float) -> float:
        """Turn seconds since the epoch into seconds since the first worker began to train."""
        return time - self.began_at if self.began_at is not None else 0.0

    def latest(self) -> History:
        """Forget all but the newest progress of every worker, so that a long watch stays cheap."""
        workers = {
            name: replace(worker, progress=worker.progress[-1:])
            for name, worker in self.workers.items()
        }
        return replace(self, workers=workers)

    def _job_wide(self) -> list[Progress | Evaluation]:
        newest = [worker.newest for worker in self.workers.values()]
        return [*(told for told in newest if told), *self.evaluations[-1:]]


def fold(records: Iterable[Record], history: History | None = None) -> History:
    """Add `records` to `history`; folding a log part by part gives what folding it at once does."""
    before = history or History()
    new = list(records)
    return History(
        workers=_workers(before.workers, new),
        evaluations=_merged(before.evaluations, _only(Evaluation, new)),
        stopping=_merged(before.stopping, _only(Stopping, new)),
        left=_merged(before.left, _only(Left, new)),
        replaced=_merged(before.replaced, _only(Replaced, new)),
        failed=_merged(before.failed, _only(Failed, new)),
        last_time=max(
            [*(record.time for record in new), *filter(None, [before.last_time])], default=None
        ),
    )


def _workers(
    before: Mapping[str, WorkerHistory], records: Sequence[Record]
) -> dict[str, WorkerHistory]:
    told: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        told[record.member if isinstance(record, Left) else record.source].append(record)
    workers = dict(before)
    for name, news in told.items():
        member = _worker(name)
        if member is not None:
            workers[name] = _extended(workers.get(name, WorkerHistory(member)), news)
    return dict(sorted(workers.items(), key=lambda item: item[1].member))


def _worker(name: str) -> Member | None:
    try:
        member = parse_member_name(name)
    except ValueError:
        return None  # the launcher, which is no member
    return member if member.role is Role.WORKER else None


def _extended(worker: WorkerHistory, records: Sequence[Record]) -> WorkerHistory:
    return WorkerHistory(
        member=worker.member,
        started=_first(worker.started, _only(Started, records)),
        began=_first(worker.began, _only(Began, records)),
        progress=_merged(worker.progress, _only(Progress, records)),
        exchange_losses=worker.exchange_losses + len(_only(ExchangeLost, records)),
        stopping=_first(worker.stopping, _only(Stopping, records)),
        finished=_first(worker.finished, _only(Finished, records)),
        left=_first(worker.left, _only(Left, records)),
    )


def _only(kind: type[Kind], records: Sequence[Record]) -> list[Kind]:
    return [record for record in records if isinstance(record, kind)]


def _merged(before: tuple[Kind, ...], new: list[Kind]) -> tuple[Kind, ...]:
    return tuple(sorted([*before, *new], key=lambda record: record.time)) if new else before


def _first(before: Kind | None, new: list[Kind]) -> Kind | None:
    known = [*new, before] if before else new
    return min(known, key=lambda record: record.time, default=None)
