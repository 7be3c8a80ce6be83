import threading

import pytest

from gossip_api.metrics.processes import PHASES
from gossip_trainer.observability.phase_clock import Phase, PhaseClock


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def phases(clock):
    return PhaseClock(clock)


def test_the_phases_are_those_of_the_registry():
    assert tuple(Phase) == PHASES


def test_every_moment_between_start_and_stop_belongs_to_the_phase_it_was_in(phases, clock):
    phases.start(Phase.DATA)
    clock.now += 1.0
    for phase, seconds in [(Phase.COMPUTE, 4.0), (Phase.DATA, 2.0)]:
        phases.enter(phase)
        clock.now += seconds
    phases.stop()
    assert phases.seconds() == {
        Phase.DATA: 3.0,
        Phase.COMPUTE: 4.0,
        Phase.COMMUNICATE: 0.0,
        Phase.WAIT: 0.0,
    }


def test_the_phase_under_way_counts_as_well(phases, clock):
    phases.start(Phase.COMPUTE)
    clock.now += 5.0
    assert phases.seconds()[Phase.COMPUTE] == 5.0
    clock.now += 1.0
    assert phases.seconds()[Phase.COMPUTE] == 6.0


def test_before_the_start_and_after_the_stop_no_time_passes_whatever_is_entered(phases, clock):
    def enter_and_wait():
        phases.enter(Phase.COMMUNICATE)
        clock.now += 7.0
        phases.waiting(lambda _seconds: None)(1.0)
        clock.now += 7.0

    enter_and_wait()
    phases.start(Phase.DATA)
    phases.stop()
    phases.stop()
    enter_and_wait()
    assert sum(phases.seconds().values()) == 0


def test_a_wait_interrupts_the_phase_it_is_in(phases, clock):
    def wait(seconds):
        clock.now += seconds

    phases.start(Phase.COMMUNICATE)
    clock.now += 1.0
    phases.waiting(wait)(10.0)
    clock.now += 2.0
    phases.stop()
    assert phases.seconds()[Phase.COMMUNICATE] == 3.0
    assert phases.seconds()[Phase.WAIT] == 10.0


def test_a_wait_that_fails_ends_as_well(phases, clock):
    def wait(seconds):
        clock.now += seconds
        raise TimeoutError

    phases.start(Phase.COMMUNICATE)
    with pytest.raises(TimeoutError):
        phases.waiting(wait)(10.0)
    clock.now += 2.0
    assert (phases.seconds()[Phase.WAIT], phases.seconds()[Phase.COMMUNICATE]) == (10.0, 2.0)


def test_who_reads_while_phases_change_never_sees_a_phase_fall():
    phases, over, fallen = PhaseClock(), threading.Event(), []

    def read():
        before = phases.seconds()
        while not over.is_set():
            now = phases.seconds()
            fallen.extend(phase for phase in Phase if now[phase] < before[phase])
            before = now

    reader = threading.Thread(target=read)
    reader.start()
    phases.start(Phase.DATA)
    for _ in range(5000):
        for phase in Phase:
            phases.enter(phase)
    over.set()
    reader.join()
    assert fallen == []
