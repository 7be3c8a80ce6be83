from gossip_trainer.algorithms.staleness_bound import StalenessBound
from gossip_trainer.algorithms.view import make_view


def view_of(*ranks):
    return make_view(1, dict.fromkeys(ranks, 0))


def advance(bound, rank, times):
    for _ in range(times):
        bound.advance(rank)


def test_a_worker_may_be_ahead_of_the_slowest_by_the_bound_and_no_further():
    bound = StalenessBound(2, view_of(0, 1))
    allowed = []
    for _ in range(4):
        bound.advance(0)
        allowed.append(bound.allows(0))
    assert allowed == [True, True, False, False]


def test_the_slowest_is_never_held_back():
    bound = StalenessBound(0, view_of(0, 1))
    advance(bound, 0, 5)
    assert bound.allows(1)


def test_bound_zero_lets_nobody_go_on_before_all_have_done_the_step():
    bound = StalenessBound(0, view_of(0, 1, 2))
    for rank in (0, 1):
        bound.advance(rank)
        assert not bound.allows(rank)
    bound.advance(2)
    assert all(bound.allows(rank) for rank in (0, 1, 2))


def test_without_a_bound_everybody_may_always_go_on():
    bound = StalenessBound(None, view_of(0, 1))
    advance(bound, 0, 1000)
    assert bound.allows(0)


def test_who_has_gone_holds_nobody_back():
    bound = StalenessBound(1, view_of(0, 1))
    advance(bound, 0, 5)
    bound.look_around(view_of(0))
    assert bound.allows(0)


def test_who_said_farewell_holds_nobody_back_as_long_as_it_is_in_the_view():
    bound = StalenessBound(1, view_of(0, 1))
    advance(bound, 0, 5)
    bound.say_farewell(1)
    bound.look_around(view_of(0, 1, 2))
    bound.look_around(view_of(0, 1))
    assert bound.allows(0)


def test_who_said_farewell_and_comes_back_into_the_view_is_not_counted_again():
    bound = StalenessBound(1, view_of(0, 1))
    bound.say_farewell(1)
    bound.look_around(view_of(0))
    bound.look_around(view_of(0, 1))
    advance(bound, 0, 5)
    assert bound.allows(0)


def test_a_newcomer_starts_at_the_clock_of_the_slowest():
    bound = StalenessBound(2, view_of(0, 1))
    advance(bound, 0, 7)
    advance(bound, 1, 6)
    bound.look_around(view_of(0, 1, 2))
    advance(bound, 1, 2)
    assert bound.allows(1)
    bound.advance(1)
    assert not bound.allows(1)


def test_a_replacement_starts_at_the_clock_of_the_slowest_of_the_others():
    bound = StalenessBound(2, make_view(1, {0: 0, 1: 0}))
    advance(bound, 0, 9)
    bound.look_around(make_view(2, {0: 0, 1: 1}))
    assert bound.allows(0)
    advance(bound, 0, 3)
    assert not bound.allows(0)


def test_the_replacement_of_one_that_said_farewell_counts():
    bound = StalenessBound(2, make_view(1, {0: 0, 1: 0}))
    bound.say_farewell(1)
    bound.look_around(make_view(2, {0: 0, 1: 1}))
    advance(bound, 0, 3)
    assert not bound.allows(0)


def test_one_that_is_not_in_the_view_has_no_clock():
    bound = StalenessBound(0, view_of(0))
    advance(bound, 7, 5)
    assert bound.allows(7)
    assert bound.allows(0)
