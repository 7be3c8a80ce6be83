"""What every worker process counted over time, as arrays. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gossip_trainer.page.records import Values
    from gossip_trainer.report.history import History, WorkerHistory


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """One process from its first step on; the first entry of every array is its beginning.

    Attributes:
        worker: all that is known of it.
        seconds: since training began.
        steps: those that it took itself.
        samples: of its own.
        received_bytes: of models.
        loss: mean training loss since the entry before; NaN where it was not finite.

    """

    worker: WorkerHistory
    seconds: Values
    steps: Values
    samples: Values
    received_bytes: Values
    loss: Values


def tracks_of(history: History) -> tuple[Track, ...]:
    """Return the tracks of all processes that began to train, by rank and incarnation."""
    return tuple(_track(history, worker) for worker in history.workers.values() if worker.began)


def _track(history: History, worker: WorkerHistory) -> Track:
    assert worker.began is not None
    told, first, begin = worker.progress, worker.began.step, history.began_at or 0.0
    seconds = [worker.began.time - begin, *[each.time - begin for each in told]]
    losses = [np.nan if each.loss is None else each.loss for each in told]
    return Track(
        worker=worker,
        seconds=np.maximum.accumulate(np.array(seconds, dtype=np.float64)),
        steps=np.array([0, *[each.step - first for each in told]], dtype=np.float64),
        samples=np.array([0, *[each.samples for each in told]], dtype=np.float64),
        received_bytes=np.array([0, *[each.received_bytes for each in told]], dtype=np.float64),
        loss=np.array([np.nan, *losses], dtype=np.float64),
    )


def total_at(tracks: Sequence[Track], seconds: Values, of: Callable[[Track], Values]) -> Values:
    """Return what all processes together had counted at these times; a dead one's count stays."""
    total = np.zeros_like(seconds)
    for track in tracks:
        total += np.interp(seconds, track.seconds, of(track))
    return total
