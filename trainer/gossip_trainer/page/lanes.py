"""What every rank did over time: who joined, left, lagged and was lost. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from gossip_trainer.page.records import LAGGING, Lane, Mark, Stretch
from gossip_trainer.report.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gossip_trainer.page.records import Values
    from gossip_trainer.page.tracks import Track
    from gossip_trainer.report.history import History

MOST_STRETCHES = 40_000  # of all lanes together
MOST_PARTS = 150
MIN_PART_SECONDS = 1.0  # workers report about once a second
LAG = 0.5  # of the median pace of the workers that train at the same time
FAST_PERCENTILE = 95


def lanes_of(history: History, tracks: Sequence[Track]) -> tuple[Lane, ...]:
    """Return one lane per rank.

    A part of a lane is lagging if the worker made less than half the steps per second of the median
    worker in the same part of the run.
    """
    if not tracks:
        return ()
    edges = _edges(tracks)
    paces = [_pace(track, edges) for track in tracks]
    levels = _levels(np.stack(paces))
    by_rank: defaultdict[int, list[tuple[Track, Values]]] = defaultdict(list)
    for track, level in zip(tracks, levels, strict=True):
        by_rank[track.worker.member.index].append((track, level))
    return tuple(_lane(history, rank, those, edges) for rank, those in sorted(by_rank.items()))


def end_of(track: Track) -> float:
    """Return the time of a process's last word, in seconds since training began."""
    return float(track.seconds[-1])


def _edges(tracks: Sequence[Track]) -> Values:
    """Cut the run into parts of equal length, none shorter than the workers' reports."""
    end = max(*map(end_of, tracks), 1e-3)
    most = min(MOST_PARTS, max(8, MOST_STRETCHES // len(tracks)))
    return np.linspace(0.0, end, 1 + max(1, min(most, int(end / MIN_PART_SECONDS))))


def _pace(track: Track, edges: Values) -> Values:
    """Return steps per second in every part; NaN where the process did not train."""
    begin, end = track.seconds[0], end_of(track)
    low, high = np.clip(edges[:-1], begin, end), np.clip(edges[1:], begin, end)
    steps = np.interp(high, track.seconds, track.steps) - np.interp(low, track.seconds, track.steps)
    lived = high - low
    return np.where(lived > 0, steps / np.where(lived > 0, lived, 1.0), np.nan)


def _levels(paces: Values) -> Values:
    """Return the level of every process and part, NaN where it did not train."""
    known = paces[np.isfinite(paces)]
    fast = float(np.percentile(known, FAST_PERCENTILE)) if known.size else 0.0
    levels = np.clip(np.floor(4 * paces / (fast or 1.0)), 0, 3)
    for part in range(paces.shape[1]):
        here = paces[:, part]
        train = np.isfinite(here)
        if train.sum() > 1:
            levels[train & (here < LAG * np.median(here[train])), part] = LAGGING
    return levels


def _lane(
    history: History, rank: int, those: Sequence[tuple[Track, Values]], edges: Values
) -> Lane:
    stretches = [each for track, levels in those for each in _stretches(track, levels, edges)]
    marks = [mark for track, _ in those for mark in _marks(history, track)]
    texts = [_text(track) for track, _ in those]
    return Lane(f"worker {rank}", "; ".join(texts), tuple(stretches), tuple(marks))


def _stretches(track: Track, levels: Values, edges: Values) -> Iterator[Stretch]:
    """Join neighbouring parts of one level."""
    begin, end = float(track.seconds[0]), end_of(track)
    places = np.flatnonzero(np.isfinite(levels))
    for run in np.split(places, np.flatnonzero(np.diff(levels[places])) + 1):
        if run.size:
            low, high = max(begin, edges[run[0]]), min(end, edges[run[-1] + 1])
            yield Stretch(float(low), float(high), int(levels[run[0]]))


def _marks(history: History, track: Track) -> Iterator[Mark]:
    worker, end = track.worker, end_of(track)
    if worker.began and worker.began.model_from != "seed":
        text = f"{worker.name} joined with the model of {worker.began.model_from}"
        yield Mark("joined", float(track.seconds[0]), text)
    if worker.is_lost and worker.left:
        at = max(0.0, history.seconds_at(worker.left.time))
        yield Mark("lost", at, f"{worker.name} was lost: {worker.left.reason}")
    elif worker.finished and worker.finished.left:
        yield Mark("left", end, f"{worker.name} was told to leave")


def _text(track: Track) -> str:
    worker, newest = track.worker, track.worker.newest
    exchanges = newest.exchanges if newest else 0
    return f"{worker.name}: {count(worker.steps, 'step')}, {count(exchanges, 'exchange')}"
