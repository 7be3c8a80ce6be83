"""A job's places, each taken by one process after another, and what is remembered of each.

A place is a role with an index: a worker's rank, a server's shard, the evaluator. Whoever takes a
place next gets the next incarnation, so that no pod's name is ever used twice. The operator keeps
what must outlive pods in the job's status, the ledger; what it has seen of the pods is merged into
it here, in a way that does not matter how often it is done.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gossip_api.names import Member, Role
from gossip_api.status import LedgerEntry
from gossip_operator.core.fate import DELETED, OVER, Fate, Verdict, judge
from gossip_operator.core.history import is_bygone, start_of
from gossip_operator.core.moments import moment, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gossip_api.status import JobStatus
    from gossip_operator.core.observed import Observed, PodView

FORGET_SECONDS = 600.0
"""A pod that has run for so long makes its place's earlier failures forgotten."""
FIRST_BACK_OFF_SECONDS = 10.0
LONGEST_BACK_OFF_SECONDS = 300.0
SHORTEST_LIFE_SECONDS = 3.0
"""A pod is not replaced earlier than so long after its creation, whatever takes it away."""

GONE = Verdict(Fate.DISRUPTED, DELETED, "the pod is gone")

Key = tuple[Role, int]


@dataclass(frozen=True, slots=True)
class Place:
    """One place at one moment.

    Attributes:
        incarnation: the highest that ever took the place; -1 if nobody has.
        pod: the pod of that incarnation, if it is still there.
        verdict: what became of it; of a pod that is gone, that it was deleted.
        older: pods of earlier incarnations that are still there.
        failures: failures in a row that count against the back-off limit.
        failed_at: when the last of them was.
        failed_incarnation: the highest incarnation whose failure was counted; -1 for none.
        uncounted: incarnations whose failure the ledger does not tell yet: their pods must stay.
        free_at: when the place may be taken again; at once after anything but a repeated failure.
        finished: whether the place's work is done.
        recorded: whether the ledger says so, too: only then may the pod go.

    """

    role: Role
    index: int
    incarnation: int = -1
    pod: PodView | None = None
    verdict: Verdict = GONE
    older: tuple[PodView, ...] = ()
    failures: int = 0
    failed_at: float | None = None
    failed_incarnation: int = -1
    uncounted: frozenset[int] = frozenset()
    free_at: float = 0.0
    finished: bool = False
    recorded: bool = False

    @property
    def key(self) -> Key:
        """Which place it is."""
        return self.role, self.index

    @property
    def is_taken(self) -> bool:
        """Whether somebody holds the place."""
        return not self.finished and self.pod is not None and self.verdict.fate is Fate.ALIVE

    @property
    def is_vacant(self) -> bool:
        """Whether somebody has left the place who had not finished."""
        return not self.finished and self.incarnation >= 0 and self.verdict.fate in OVER

    def is_given_up(self, limit: int) -> bool:
        """Whether its failures exceed the limit, so that nobody is sent there any more."""
        return not self.finished and not self.is_taken and self.failures > limit

    def is_open(self, limit: int) -> bool:
        """Whether somebody may take the place, now or when it comes free."""
        return not (self.finished or self.is_taken or self.is_given_up(limit))

    @property
    def next(self) -> Member:
        """Who takes the place next."""
        return Member(self.role, self.index, self.incarnation + 1)

    def taken_by(self, member: Member) -> Place:
        """Return the place as it is to be remembered once that member's pod is made."""
        return replace(self, incarnation=member.incarnation)

    def forgiven(self) -> Place:
        """Return the place as a job finds it that is resumed: only its incarnations are kept."""
        return replace(self, failures=0, failed_at=None, finished=False, recorded=False)

    def ledger_entry(self) -> LedgerEntry | None:
        """Return what must be remembered of the place; None if that is nothing."""
        if self.incarnation < 1 and not self.failures and not self.finished:
            return None
        return LedgerEntry(
            role=self.role,
            index=self.index,
            incarnation=max(self.incarnation, 0),
            failures=self.failures or None,
            failed_at=moment(self.failed_at),
            failed_incarnation=self.failed_incarnation if self.failed_incarnation >= 0 else None,
            finished=self.finished or None,
        )


def find_places(observed: Observed) -> dict[Key, Place]:
    """Merge the ledger and the pods into all places that anybody has ever taken, in order."""
    status = observed.job.status
    ledger: dict[Key, LedgerEntry] = {(entry.role, entry.index): entry for entry in status.ledger}
    pods: dict[Key, list[PodView]] = {}
    for pod in sorted(observed.pods, key=lambda pod: pod.member.incarnation):
        pods.setdefault((pod.member.role, pod.member.index), []).append(pod)
    started = start_of(observed)
    keys = sorted({*ledger, *pods, *_launched(status)})
    return {key: _place(key, ledger.get(key), pods.get(key, ()), observed, started) for key in keys}


def _launched(status: JobStatus) -> list[Key]:
    """Return the places that were ever taken, as far as the status tells."""
    if status.launched is None:
        return []
    numbers = {
        Role.WORKER: status.launched.workers,
        Role.SERVER: status.launched.servers,
        Role.EVALUATOR: status.launched.evaluators,
    }
    return [(role, index) for role, number in numbers.items() for index in range(number)]


def _place(
    key: Key,
    entry: LedgerEntry | None,
    pods: Sequence[PodView],
    observed: Observed,
    started: float,
) -> Place:
    incarnation = entry.incarnation if entry is not None else 0
    if pods:
        incarnation = max(incarnation, pods[-1].member.incarnation)
    judged = [(pod, judge(pod, observed.lost_nodes)) for pod in pods if not is_bygone(pod, started)]
    current, verdict = None, GONE
    if judged and judged[-1][0].member.incarnation == incarnation:
        current, verdict = judged[-1]
    failures, failed_at, counted, uncounted = _count_failures(entry, judged, observed.now)
    if current is not None and _has_run_long(current, verdict, observed.now):
        failures, failed_at = 0, None
    recorded = entry is not None and bool(entry.finished)
    return Place(
        role=key[0],
        index=key[1],
        incarnation=incarnation,
        pod=current,
        verdict=verdict,
        older=tuple(pod for pod, _ in judged if pod is not current),
        failures=failures,
        failed_at=failed_at,
        failed_incarnation=counted,
        uncounted=uncounted,
        free_at=_free_at(current, failures, failed_at, observed.now),
        finished=recorded or verdict.fate is Fate.DONE,
        recorded=recorded,
    )


def _count_failures(
    entry: LedgerEntry | None, judged: Sequence[tuple[PodView, Verdict]], now: float
) -> tuple[int, float | None, int, frozenset[int]]:
    """Count every incarnation's failure once, whenever it is seen; tell those that are new."""
    failures, failed_at, counted = 0, None, -1
    if entry is not None:
        failures, failed_at = entry.failures or 0, seconds(entry.failed_at)
        counted = -1 if entry.failed_incarnation is None else entry.failed_incarnation
    uncounted = set()
    for pod, verdict in judged:
        if pod.member.incarnation > counted and verdict.fate is Fate.FAILED:
            failures, counted = failures + 1, pod.member.incarnation
            uncounted.add(counted)
            # A clock that is ahead of ours must not make the pause longer.
            at = min(verdict.at or pod.created, now)
            failed_at = max(failed_at or 0.0, at)
    return failures, failed_at, counted, frozenset(uncounted)


def _free_at(pod: PodView | None, failures: int, failed_at: float | None, now: float) -> float:
    earliest = 0.0
    if pod is not None and pod.created <= now:
        earliest = pod.created + SHORTEST_LIFE_SECONDS
    if failed_at is None or failures < 2:
        return earliest
    doublings = min(failures - 2, 10)
    pause = min(FIRST_BACK_OFF_SECONDS * float(2**doublings), LONGEST_BACK_OFF_SECONDS)
    return max(earliest, failed_at + pause)


def _has_run_long(pod: PodView, verdict: Verdict, now: float) -> bool:
    started = pod.trainer.started if pod.trainer is not None else None
    return verdict.fate is Fate.ALIVE and started is not None and now - started >= FORGET_SECONDS
