"""What is shown again and again: a live page on a terminal, else one line for each change."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from rich.console import Group
from rich.live import Live
from rich.text import Text

from gossip_kubectl.errors import Refused, Unreachable
from gossip_kubectl.following import AWAY_SECONDS
from gossip_kubectl.words import standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

    from gossip_kubectl.views import JobView

EVERY_SECONDS = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Glance:
    """What there is to see.

    Attributes:
        page: how it looks.
        is_over: it will not change any more.

    """

    page: RenderableType
    is_over: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """What there is to tell where there is nothing to see."""

    text: str


@dataclass
class Looking(Generic[T]):
    """Looks every two seconds; an API server that has answered may be away for a while.

    Attributes:
        look: what to do; its first trouble is final.

    """

    look: Callable[[], T]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _good: float = field(default=0.0, init=False)

    def sights(self) -> Iterator[T | Trouble]:
        """Yield what there is to see, and where there is trouble instead, what to tell of it.

        Raises:
            Refused, Unreachable: in the beginning, or for longer than may be waited for.

        """
        yield self._looked()
        while True:
            self.sleep(EVERY_SECONDS)
            try:
                yield self._looked()
            except (Refused, Unreachable) as error:
                away = self.clock() - self._good
                if away > AWAY_SECONDS:
                    raise
                yield Trouble(f"as of {away:.0f} s ago: {error}")

    def _looked(self) -> T:
        seen = self.look()
        self._good = self.clock()
        return seen


def show_live(look: Callable[[], Glance], console: Console) -> None:
    """Draw a page anew every two seconds, until all is over."""
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        page: RenderableType = Text()
        for sight in Looking(look).sights():
            if isinstance(sight, Trouble):
                live.update(Group(Text(sight.text, style="yellow"), page), refresh=True)
                continue
            page = sight.page
            live.update(page, refresh=True)
            if sight.is_over:
                return


def print_changes(look: Callable[[], list[JobView]], *, ends: bool) -> None:
    """Print a line for each job that stands otherwise than before.

    Args:
        look: returns the jobs.
        ends: whether to end when all are over; new ones may come otherwise.

    """
    told: dict[str, str] = {}
    for sight in Looking(look).sights():
        if isinstance(sight, Trouble):
            sys.stderr.write(f"{sight.text}\n")
            continue
        for job in sight:
            line = f"{job.namespace}/{job.name}: {standing(job)}"
            if told.get(job.uid) != line:
                told[job.uid] = line
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
        if ends and all(job.is_over for job in sight):
            return
