"""What the API server refused to create, why, and when to ask again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gossip_api.reasons import Reason
from gossip_operator.core.observed import Refusal
from gossip_operator.shell.pacing import about, pause_after

if TYPE_CHECKING:
    from gossip_operator.core.observed import JobView
    from gossip_operator.shell.errors import ApiError

REMEMBER_SECONDS: Final = 120.0
"""So long after its time a refusal that nothing came of is forgotten."""
QUOTA_SECONDS: Final = 30.0
INVALID_SECONDS: Final = 300.0
FIRST_PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 60.0

_PAUSES: Final = {
    Reason.QUOTA_EXCEEDED: QUOTA_SECONDS,
    # Until the template changes, which counts as a new job here, there is little hope.
    Reason.INVALID_POD_TEMPLATE: INVALID_SECONDS,
}


def reason_of(error: ApiError, kind: str) -> Reason:
    """Name the reason of a refusal to create an object of that kind."""
    if error.status == 403 and "exceeded quota" in error.message:
        return Reason.QUOTA_EXCEEDED
    if error.status == 403:
        return Reason.FORBIDDEN
    if error.status in {400, 422} and kind == "Pod":
        return Reason.INVALID_POD_TEMPLATE
    return Reason.CREATE_FAILED


@dataclass(frozen=True, slots=True)
class _Noted:
    refusal: Refusal
    generation: int
    attempts: int


class Refusals:
    """Refusals by job and by what was refused; those of an earlier generation do not count."""

    def __init__(self) -> None:
        self._noted: dict[str, dict[str, _Noted]] = {}

    def note(self, job: JobView, what: str, reason: Reason, message: str, now: float) -> Refusal:
        """Remember a refusal; return it with the time until which nobody should ask again."""
        noted = self._noted.setdefault(job.uid, {})
        before = noted.get(what)
        attempts = before.attempts + 1 if before and before.generation == job.generation else 1
        pause = (
            about(_PAUSES[reason])
            if reason in _PAUSES
            else pause_after(attempts, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS)
        )
        refusal = Refusal(what, reason, message, now + pause)
        noted[what] = _Noted(refusal, job.generation, attempts)
        return refusal

    def current(self, job: JobView, now: float) -> tuple[Refusal, ...]:
        """Return what was refused of the job as it is, the newest first."""
        noted = {
            what: one
            for what, one in self._noted.get(job.uid, {}).items()
            if one.generation == job.generation and now < one.refusal.until + REMEMBER_SECONDS
        }
        if noted:
            self._noted[job.uid] = noted
        else:
            self._noted.pop(job.uid, None)
        found = [one.refusal for one in noted.values()]
        return tuple(sorted(found, key=lambda refusal: refusal.until, reverse=True))

    def holds_up(self, job: JobView, now: float) -> bool:
        """Tell whether it is too early to create anything for the job."""
        return any(refusal.until > now for refusal in self.current(job, now))

    def granted(self, job: JobView, what: str) -> None:
        """Take in that it was created after all."""
        self._noted.get(job.uid, {}).pop(what, None)

    def forget(self, uid: str) -> None:
        """Drop all that is remembered of a job."""
        self._noted.pop(uid, None)
