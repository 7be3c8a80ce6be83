"""How the whole job stands: exact counts, for in virtual time everybody knows everything at once.

In a real job counts reach the others with the next exchange, so it overshoots a little more.
"""

import time
from dataclasses import dataclass, field, fields

from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.progress.ledger import StopReason


@dataclass(slots=True)
class Standing:
    """What has been done, who is there, and whether to stop.

    Attributes:
        samples: of all workers, those included that are gone.
        steps: the same in optimizer steps.
        received_bytes: model bytes that all workers have received.
        lost: fetches of all workers that came to nothing.
        stop: why the job ends; None while it goes on.
        roster: the members; another object whenever it changes.

    """

    samples: int = 0
    steps: int = 0
    received_bytes: float = 0.0
    lost: int = 0
    stop: StopReason | None = None
    roster: Roster = field(default_factory=Roster)

    def end(self, reason: StopReason) -> None:
        """End the job; the first reason stays."""
        self.stop = self.stop or reason

    def enter(self, endpoint: Endpoint) -> None:
        """Add a member."""
        self.roster = Roster((*self.roster.endpoints, endpoint))

    def leave(self, endpoint: Endpoint) -> None:
        """Remove a member."""
        self.roster = Roster(tuple(e for e in self.roster.endpoints if e != endpoint))


class Lap:
    """Adds up the wall time spent inside of it; entered at every step, so it must cost little."""

    __slots__ = ("_began", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began


@dataclass(frozen=True, slots=True)
class Laps:
    """Where the simulator's wall time goes; none of them inside another."""

    gradient: Lap = field(default_factory=Lap)
    optimizer: Lap = field(default_factory=Lap)
    mixing: Lap = field(default_factory=Lap)
    publishing: Lap = field(default_factory=Lap)
    evaluation: Lap = field(default_factory=Lap)

    def seconds(self) -> dict[str, float]:
        """Return the time of each."""
        return {lap.name: getattr(self, lap.name).seconds for lap in fields(self)}
