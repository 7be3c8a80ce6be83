import numpy as np

from gossip_trainer.page.records import Series
from gossip_trainer.page.sampling import thinned


def series(y, **changes):
    x = np.arange(len(y), dtype=float)
    return Series(
        label="", style=0, x={"seconds": x, "samples": x, "bytes": x}, y=np.array(y), **changes
    )


def test_a_short_curve_stays_as_it_is():
    short = series([1.0, 2.0, 3.0])

    assert thinned(short, 10) is short


def test_a_long_curve_keeps_its_ends_and_its_extremes():
    y = np.zeros(10_000)
    y[1234], y[8765] = 5, -7

    thin = thinned(series(y), 100)

    assert len(thin.y) <= 100
    assert (thin.x["seconds"][0], thin.x["seconds"][-1]) == (0, 9999)
    assert thin.y[thin.x["seconds"] == 1234] == 5
    assert thin.y[thin.x["seconds"] == 8765] == -7


def test_the_range_around_a_curve_keeps_its_extremes_too():
    y = np.zeros(10_000)
    low, high = y.copy(), y.copy()
    low[4321], high[2345] = -3, 4

    thin = thinned(series(y, low=low, high=high), 100)

    assert (thin.low.min(), thin.high.max()) == (-3, 4)
    assert len(thin.low) == len(thin.high) == len(thin.y)


def test_gaps_stay_gaps():
    y = np.ones(10_000)
    y[2000:8000] = np.nan

    thin = thinned(series(y), 100)

    inside = (thin.x["seconds"] >= 2200) & (thin.x["seconds"] < 7800)
    assert inside.any()
    assert np.isnan(thin.y[inside]).all()
