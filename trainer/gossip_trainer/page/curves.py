"""From a run's history to the curves of its charts. Pure."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from gossip_trainer.page.records import Axis, Series
from gossip_trainer.page.tracks import Track, total_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gossip_trainer.observability.events import Evaluation, WorkerModel
    from gossip_trainer.page.records import Values
    from gossip_trainer.report.history import History

GRID = 300  # moments at which the workers' training losses are joined


def evaluated(
    history: History,
    positions: Mapping[Axis, Values],
    of: Callable[[Evaluation], float | None],
    *,
    label: str,
    style: int,
) -> Series:
    """Return a curve through the evaluations at `positions`."""
    y = _numbers(of(each) for each in history.evaluations)
    return Series(label=label, style=style, x=positions, y=y)


def workers_own(
    history: History,
    positions: Mapping[Axis, Values],
    of: Callable[[WorkerModel], float | None],
    *,
    label: str,
    style: int,
) -> Series | None:
    """Return the mean and range of the models that evaluations tested beside the average."""
    told = [_numbers(of(model) for model in each.workers) for each in history.evaluations]
    if not any(np.isfinite(each).any() for each in told):
        return None
    return _ranged(
        label, style, positions, [each if each.size else np.array([np.nan]) for each in told]
    )


def training_loss(
    tracks: Sequence[Track], num_workers: int, *, label: str, style: int
) -> Series | None:
    """Return the mean and range of the workers' training losses over their common time."""
    told = [track for track in tracks if len(track.seconds) > 1]
    if not told:
        return None
    begin = min(track.seconds[1] for track in told)
    end = max(track.seconds[-1] for track in told)
    grid = np.linspace(begin, end, GRID) if end > begin else np.array([begin])
    losses = np.stack(
        [
            np.interp(grid, track.seconds[1:], track.loss[1:], left=np.nan, right=np.nan)
            for track in told
        ],
        axis=1,
    )
    return _ranged(label, style, positions_at(tracks, grid, num_workers), list(losses))


def evaluation_positions(
    history: History, tracks: Sequence[Track], num_workers: int
) -> dict[Axis, Values]:
    """Return where the evaluations are on every axis."""
    seconds = _numbers(each.seconds for each in history.evaluations)
    samples = _numbers(each.job_samples for each in history.evaluations)
    return positions_at(tracks, seconds, num_workers) | {"samples": np.maximum.accumulate(samples)}


def positions_at(tracks: Sequence[Track], seconds: Values, num_workers: int) -> dict[Axis, Values]:
    """Return where these times are on every axis, by what the workers told before and after."""
    return {
        "seconds": seconds,
        "samples": total_at(tracks, seconds, lambda track: track.samples),
        "bytes": total_at(tracks, seconds, lambda track: track.received_bytes) / num_workers,
    }


def _ranged(
    label: str, style: int, positions: Mapping[Axis, Values], told: Sequence[Values]
) -> Series:
    with warnings.catch_warnings():
        # A moment at which nobody tells anything has no mean, and that is no fault.
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.array([np.nanmean(each) for each in told])
        low = np.array([np.nanmin(each) for each in told])
        high = np.array([np.nanmax(each) for each in told])
    return Series(label=label, style=style, x=positions, y=mean, low=low, high=high)


def _numbers(values: Iterable[float | None]) -> Values:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
