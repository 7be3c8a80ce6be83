import pytest

from gossip_trainer.errors import RunError
from gossip_trainer.simulation.clock import Clock, Process, Signal


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
