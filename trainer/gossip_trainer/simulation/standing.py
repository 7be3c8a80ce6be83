"""How the whole job stands: exact counts, for in virtual time everybody knows everything at once.

In a real job counts reach the others with the next exchange, so it overshoots a little more.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.progress.ledger import Stop, StopReason


@dataclass(frozen=True, slots=True)
class Counts:
    """What the whole job has done.

    Attributes:
        samples: of all workers, those included that are gone.
        steps: the same in optimizer steps.
        seconds: how long it has trained.

    """

    samples: int = 0
    steps: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Standing:
    """What has been done, who is there, and whether to stop.

    Attributes:
        samples: of all workers, those included that are gone.
        steps: the same in optimizer steps.
        began: when the processes that train now began.
        earlier_seconds: how long the job had trained by then.
        stop: why the job ends; None while it goes on.
        roster: the members; another object whenever it changes.
        watchers: called when the roster changes and when the job is to end.

    """

    samples: int = 0
    steps: int = 0
    began: float = 0.0
    earlier_seconds: float = 0.0
    stop: Stop | None = None
    roster: Roster = field(default_factory=Roster)
    watchers: list[Callable[[], None]] = field(default_factory=list)

    def counts(self, now: float) -> Counts:
        """Return what has been done by now."""
        return Counts(self.samples, self.steps, self.earlier_seconds + now - self.began)

    def lose_everybody(self) -> None:
        """Forget all members and tell nobody: there is nobody left to be told."""
        self.watchers.clear()
        self.roster = Roster()

    def go_on_from(self, counts: Counts, now: float) -> None:
        """Count on from there: what was done since then was done in vain."""
        self.samples, self.steps = counts.samples, counts.steps
        self.began, self.earlier_seconds = now, counts.seconds
        self.stop = None

    def end(self, reason: StopReason, by: str, at: float) -> None:
        """End the job; the first reason stays."""
        if self.stop is None:
            self.stop = Stop(at, by, reason)
            self._tell()

    def enter(self, endpoint: Endpoint) -> None:
        """Add a member."""
        self.roster = Roster((*self.roster.endpoints, endpoint))
        self._tell()

    def leave(self, endpoint: Endpoint) -> None:
        """Remove a member."""
        self.roster = Roster(tuple(e for e in self.roster.endpoints if e != endpoint))
        self._tell()

    def _tell(self) -> None:
        for watcher in list(self.watchers):
            watcher()


class VirtualProgress:
    """One worker's knowledge: everything, at once."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self.own_samples = 0
        self.earlier_seconds = 0.0

    @property
    def began(self) -> float:
        """When the processes that train now began."""
        return self._standing.began

    @property
    def samples(self) -> int:
        """Samples of the whole job."""
        return self._standing.samples

    @property
    def stop(self) -> Stop | None:
        """Set once the job is to end."""
        return self._standing.stop

    def seconds(self, at: float) -> float:
        """Return how long the job has trained at a time of the wall clock."""
        return self.earlier_seconds + max(0.0, at - self.began)

    def count(self, samples: int) -> None:
        """Count a step of so many samples."""
        self.own_samples += samples
        self._standing.samples += samples
        self._standing.steps += 1

    def end(self, reason: StopReason, by: str, at: float) -> None:
        """End the job."""
        self._standing.end(reason, by, at)
