"""Thins long curves so that a page stays small and the curves look the same. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gossip_trainer.page.records import Series, Values


def thinned(series: Series, most: int) -> Series:
    """Keep about `most` points: the first, the last, and the extremes of every part in between.

    Parts hold equally many points. What is left out lies, in each part, between what is kept.
    """
    if len(series.y) <= most:
        return series
    low = series.y if series.low is None else series.low
    high = series.y if series.high is None else series.high
    kept = {0, len(series.y) - 1}
    for part in np.array_split(np.arange(len(series.y)), max(1, (most - 2) // 2)):
        kept.add(int(part[np.argmin(_filled(low[part], np.inf))]))
        kept.add(int(part[np.argmax(_filled(high[part], -np.inf))]))
    places = np.array(sorted(kept))
    return replace(
        series,
        x={axis: x[places] for axis, x in series.x.items()},
        y=series.y[places],
        low=None if series.low is None else series.low[places],
        high=None if series.high is None else series.high[places],
    )


def _filled(values: Values, instead: float) -> Values:
    return np.where(np.isfinite(values), values, instead)
