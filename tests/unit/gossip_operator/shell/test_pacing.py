import pytest

from gossip_operator.shell.pacing import TokenBucket, about, pause_after


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_burst_goes_through_at_once_and_the_rest_waits_its_turn():
    bucket = TokenBucket(10.0, 3, clock=Clock())
    assert [bucket.reserve() for _ in range(5)] == pytest.approx([0, 0, 0, 0.1, 0.2])


def test_tokens_come_back_with_time_but_never_more_than_a_burst():
    clock = Clock()
    bucket = TokenBucket(10.0, 3, clock=clock)
    for _ in range(3):
        bucket.reserve()
    clock.now = 100.0
    assert [bucket.try_take() for _ in range(4)] == [True, True, True, False]


def test_nothing_goes_through_while_a_pause_was_asked_for():
    clock = Clock()
    bucket = TokenBucket(10.0, 3, clock=clock)
    bucket.hold(5.0)
    bucket.hold(2.0)
    assert bucket.reserve() == pytest.approx(5.0)
    clock.now = 4.0
    assert bucket.reserve() == pytest.approx(1.0)
    clock.now = 5.0
    assert bucket.reserve() == 0.0


def test_nobody_is_held_up_for_more_than_a_minute():
    bucket = TokenBucket(10.0, 3, clock=Clock())
    bucket.hold(1e6)
    assert bucket.reserve() == pytest.approx(60.0)


def test_pauses_double_up_to_the_longest():
    for attempt, whole in [(1, 1.0), (2, 2.0), (3, 4.0), (50, 30.0), (5000, 30.0)]:
        pauses = [pause_after(attempt, first=1.0, longest=30.0) for _ in range(100)]
        assert whole / 2 <= min(pauses) <= max(pauses) <= whole


def test_many_that_failed_together_do_not_come_back_together():
    assert len({pause_after(3, first=1.0, longest=30.0) for _ in range(100)}) > 90
    assert len({about(10.0) for _ in range(100)}) > 90
