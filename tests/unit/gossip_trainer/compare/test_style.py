import itertools

from hypothesis import given
from hypothesis import strategies as st

from gossip_trainer.compare.style import apart, styles

places = st.lists(st.floats(0, 1), max_size=8).map(sorted)


def test_no_two_of_twenty_strategies_look_alike():
    looks = styles([f"strategy {number}" for number in range(20)])
    assert len(set(looks.values())) == 20
    markers = {(look.colour, look.marker) for look in looks.values()}
    assert len(markers) == 20


@given(places)
def test_places_end_up_apart_in_the_same_order_with_the_same_mean(wanted):
    moved = apart(wanted, 0.1)
    assert len(moved) == len(wanted)
    assert all(b - a >= 0.1 - 1e-9 for a, b in itertools.pairwise(moved))
    assert abs(sum(moved) - sum(wanted)) < 1e-9


def test_places_that_are_apart_already_stay():
    assert apart([0.1, 0.3, 0.9], 0.1) == [0.1, 0.3, 0.9]


def test_those_that_touch_move_by_the_same_to_either_side():
    low, high = apart([0.50, 0.54], 0.1)
    assert (round(low, 9), round(high, 9)) == (0.47, 0.57)
