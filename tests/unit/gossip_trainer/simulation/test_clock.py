import pytest

from gossip_trainer.errors import RunError
from gossip_trainer.simulation.clock import Bell, Clock, Process, Signal, drive


class Log(list):
    def note(self, word):
        return lambda: self.append(word)


def run(clock):
    """Let everything happen that is due."""
    clock.run_while(lambda: bool(clock._heap))


def test_events_happen_in_the_order_of_their_times():
    clock, log = Clock(), Log()
    for seconds in (3.0, 1.0, 2.0):
        clock.after(seconds, log.note(seconds))
    run(clock)
    assert log == [1.0, 2.0, 3.0]
    assert clock.now == 3.0


def test_events_of_one_moment_happen_in_the_order_in_which_they_were_asked_for():
    clock, log = Clock(), Log()
    for word in "cabed":
        clock.after(1.0, log.note(word))
    run(clock)
    assert "".join(log) == "cabed"


def test_an_event_asked_for_now_comes_after_those_already_due_at_this_moment():
    clock, log = Clock(), Log()
    clock.after(1.0, lambda: clock.after(0.0, log.note("late")))
    clock.after(1.0, log.note("early"))
    run(clock)
    assert log == ["early", "late"]


def test_a_cancelled_event_does_not_happen():
    clock, log = Clock(), Log()
    clock.after(1.0, log.note("no")).cancel()
    clock.after(2.0, log.note("yes"))
    run(clock)
    assert log == ["yes"]


def test_waiting_for_nothing_is_an_error_that_says_when():
    clock = Clock()
    clock.after(1.5, lambda: None)
    with pytest.raises(RunError, match=r"at 1\.5 s of virtual time everybody waits"):
        clock.run_while(lambda: True)


def test_a_process_sleeps_and_waits_for_signals():
    clock, log, signal = Clock(), Log(), Signal()

    def life():
        yield 2.0
        log.append(clock.now)
        yield signal
        log.append(clock.now)

    Process(clock, life()).start()
    clock.after(5.0, signal.give)
    run(clock)
    assert log == [2.0, 5.0]


def test_a_signal_given_before_holds_nobody_up():
    clock, log, signal = Clock(), Log(), Signal()
    signal.give()

    def life():
        yield signal
        log.append("through")

    Process(clock, life()).start()
    run(clock)
    assert log == ["through"]


def test_a_killed_process_never_goes_on():
    clock, log = Clock(), Log()

    def life():
        yield 1.0
        log.append("never")

    process = Process(clock, life())
    process.start()
    clock.after(0.5, process.kill)
    run(clock)
    assert log == []


def test_those_that_wait_for_a_signal_are_woken_in_the_order_in_which_they_came():
    signal, log = Signal(), Log()
    for word in "cab":
        signal.wake(log.note(word))
    signal.give()
    assert "".join(log) == "cab"


# Waiting for news


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def bell(clock):
    return Bell(clock)


def listen(clock, bell, *waits):
    """Start a process that waits several times; return when each wait was over."""
    moments = []

    def life():
        for seconds in waits:
            yield bell.wait(seconds)
            moments.append(clock.now)

    Process(clock, life()).start()
    return moments


def test_a_bell_wakes_the_one_that_waits(clock, bell):
    moments = listen(clock, bell, float("inf"))
    clock.after(3.0, bell.ring)
    run(clock)
    assert moments == [3.0]


def test_a_wait_ends_by_itself_when_its_time_is_over(clock, bell):
    moments = listen(clock, bell, 5.0, 2.0)
    run(clock)
    assert moments == [5.0, 7.0]


def test_a_ring_that_nobody_waited_for_ends_the_next_wait_and_only_that(clock, bell):
    bell.ring()
    bell.ring()
    moments = listen(clock, bell, 5.0, 5.0)
    run(clock)
    assert moments == [0.0, 5.0]


def test_the_time_of_a_wait_that_a_ring_ended_does_not_end_the_next(clock, bell):
    moments = listen(clock, bell, 5.0, 100.0)
    clock.after(3.0, bell.ring)
    run(clock)
    assert moments == [3.0, 103.0]


def test_a_wait_for_ever_puts_nothing_on_the_clock(clock, bell):
    listen(clock, bell, float("inf"))
    clock.after(1.0, lambda: None)
    run(clock)
    assert clock.now == 1.0


def test_the_steps_of_a_boundary_are_driven_through_their_waits_to_their_value(clock, bell):
    moments = []

    def steps():
        yield 4.0
        moments.append(clock.now)
        yield float("inf")
        moments.append(clock.now)
        return "value"

    def life():
        moments.append((yield from drive(steps(), bell)))

    Process(clock, life()).start()
    clock.after(9.0, bell.ring)
    run(clock)
    assert moments == [4.0, 9.0, "value"]
