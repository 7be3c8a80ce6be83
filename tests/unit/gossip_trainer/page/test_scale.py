import numpy as np
import pytest

from gossip_trainer.page.scale import fit, round_values


def values(*numbers):
    return np.array(numbers, dtype=float)


def test_a_linear_scale_of_amounts_begins_at_zero():
    scale = fit("linear", values(2, 10), from_zero=True)

    assert scale.place(values(0))[0] == 0
    assert scale.ticks() == [0, 2, 4, 6, 8, 10]


def test_all_values_are_on_their_scale():
    for kind in ("linear", "log", "error"):
        placed = fit(kind, values(0.1, 0.5, 0.97), from_zero=False).place(values(0.1, 0.5, 0.97))
        assert (placed > 0).all()
        assert (placed < 1).all()
        assert (np.diff(placed) > 0).all()


def test_what_is_not_above_zero_has_no_place_on_a_log_scale():
    placed = fit("log", values(0, 1, 10), from_zero=False).place(values(-1, 0, 3))

    assert np.isnan(placed[:2]).all()
    assert np.isfinite(placed[2])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.1, 2.0, [0.1, 0.2, 0.5, 1, 2]),
        (1e-6, 1e3, [1e-6, 1e-4, 1e-2, 1, 100]),
        (90.0, 93.0, [90, 90.5, 91, 91.5, 92, 92.5, 93]),
    ],
)
def test_ticks_of_a_log_scale_are_round_and_few(low, high, ticks):
    assert fit("log", values(low, high), from_zero=False).ticks() == pytest.approx(ticks)


def test_ticks_of_an_error_scale_are_shares_that_do_not_touch():
    ticks = fit("error", values(0.1, 0.999), from_zero=False).ticks()

    assert ticks[0] < 0.6
    assert ticks[-1] >= 0.998
    assert len(ticks) <= 9


def test_values_that_are_all_alike_have_a_place_in_the_middle():
    linear = fit("linear", values(0.5, 0.5), from_zero=False)

    assert linear.place(values(0.5))[0] == pytest.approx(0.5)
    assert fit("log", values(3, 3), from_zero=False).place(values(3))[0] == pytest.approx(0.5)


def test_there_is_no_scale_without_a_finite_value():
    assert fit("linear", values(np.nan, np.inf), from_zero=True) is None
    assert fit("log", values(0, -1), from_zero=False) is None


@pytest.mark.parametrize("high", [3e-9, 0.07, 1, 9.99, 123456, 1e30])
def test_round_values_are_few_and_within(high):
    found = round_values(0, high)

    assert 3 <= len(found) <= 8
    assert all(0 <= value <= high * (1 + 1e-9) for value in found)


@pytest.mark.parametrize("kind", ["linear", "log", "error"])
@pytest.mark.parametrize(
    "extremes", [(-1e249, 1e249), (1e-249, 1e249), (1e-200, 2e-200), (0, 0), (-6e16, -6e16)]
)
def test_extremes_of_any_size_have_few_ticks(kind, extremes):
    scale = fit(kind, values(*extremes), from_zero=False)

    assert scale is None or len(scale.ticks()) <= 10


@pytest.mark.parametrize("kind", ["linear", "log"])
def test_what_a_scale_cannot_reach_has_no_place(kind):
    scale = fit(kind, values(1, 2, 1.7e308), from_zero=False)

    assert np.isnan(scale.place(values(1.7e308, -1.7e308))).all()
    assert np.isfinite(scale.place(values(1, 2))).all()
