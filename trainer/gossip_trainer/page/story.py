"""From a run's log to what the page tells of its workers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_trainer.page.facts import workers_table
from gossip_trainer.page.lanes import end_of, lanes_of
from gossip_trainer.page.records import Story
from gossip_trainer.report.history import History
from gossip_trainer.report.words import news

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gossip_trainer.observability.events import Record
    from gossip_trainer.page.sources import RunLog
    from gossip_trainer.page.tracks import Track


def story_of(log: RunLog, tracks: Sequence[Track]) -> Story:
    """Return how a run went."""
    lanes = lanes_of(log.history, tracks)
    marks = (mark.seconds for lane in lanes for mark in lane.marks)
    return Story(
        title=f"{log.label}: {log.summary.strategy}, {log.summary.num_workers} workers",
        seconds=max((*map(end_of, tracks), *marks), default=0.0),
        lanes=lanes,
        matrices=log.meetings.matrices(),
        workers=workers_table(log.summary),
        news=tuple(_news(log)),
        job=log.job_text,
    )


def _news(log: RunLog) -> Iterator[tuple[float, str]]:
    history = log.history
    told: list[Record] = [*history.stopping[:1], *history.left, *history.replaced, *history.failed]
    for record in sorted(told, key=lambda each: each.time):
        for line in news([record], History()):
            yield history.seconds_at(record.time), line
