"""Shows a run while it goes on: a live table on a terminal, lines elsewhere, nothing for scripts.

What is shown is made of the event records alone, in gossip_trainer.report.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, Protocol, Self

from rich.live import Live
from rich.text import Text

from gossip_trainer.observability.events import Evaluation
from gossip_trainer.report.history import History, fold
from gossip_trainer.report.live import is_training, live_view, status_line
from gossip_trainer.report.words import evaluation_line, news

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from rich.console import Console

    from gossip_api.job import GossipTrainingJob
    from gossip_trainer.observability.events import Record

OutputFormat = Literal["text", "json"]

PLAIN_LINE_SECONDS = 5.0


class Display(Protocol):
    """Somebody or nobody watches the run through it, from entering the context to leaving it."""

    def update(self, records: Iterable[Record]) -> None:
        """Show the news and how the run stands now."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class SilentDisplay:
    """Shows nothing."""

    def update(self, records: Iterable[Record]) -> None:
        """Ignore them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class PlainDisplay:
    """Prints a line every few seconds, and important events at once."""

    def __init__(
        self,
        job: GossipTrainingJob,
        console: Console,
        *,
        every_seconds: float = PLAIN_LINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job = job
        self._console = console
        self._every_seconds = every_seconds
        self._clock = clock
        self._history = History()
        self._next_line = clock() + every_seconds
        self._untold: Evaluation | None = None

    def update(self, records: Iterable[Record]) -> None:
        """Print what is important, and how the run stands if it is time to."""
        new = list(records)
        lines = news(new, self._history)
        for record in new:
            if isinstance(record, Evaluation):
                self._untold = record
        self._history = fold(new, self._history).latest()
        if self._clock() >= self._next_line:
            self._next_line = self._clock() + self._every_seconds
            lines += self._standing()
        elif self._untold is not None and self._untold.final:
            lines += self._newest_evaluation()
        for line in lines:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _standing(self) -> list[str]:
        going = [status_line(self._history, self._job)] if is_training(self._history) else []
        return self._newest_evaluation() + going

    def _newest_evaluation(self) -> list[str]:
        """Return the newest one's line if it was not told yet; evaluations may be frequent."""
        untold, self._untold = self._untold, None
        return [] if untold is None else [evaluation_line(untold)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class LiveDisplay:
    """Keeps a table up to date on a terminal; important events scroll by above it."""

    def __init__(self, job: GossipTrainingJob, console: Console) -> None:
        self._job = job
        self._history = History()
        # Drawn only when there are news: no thread of its own draws into a printing one.
        self._live = Live(live_view(self._history, job), console=console, auto_refresh=False)

    def update(self, records: Iterable[Record]) -> None:
        """Print what is important above the table and redraw it."""
        new = list(records)
        for line in news(new, self._history):
            self._live.console.print(Text(line))
        self._history = fold(new, self._history).latest()
        self._live.update(live_view(self._history, self._job), refresh=True)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


def make_display(
    job: GossipTrainingJob, *, output: OutputFormat, console: Console
) -> SilentDisplay | PlainDisplay | LiveDisplay:
    """Choose the display that suits the output format and the console."""
    if output == "json":
        return SilentDisplay()
    return LiveDisplay(job, console) if console.is_terminal else PlainDisplay(job, console)
