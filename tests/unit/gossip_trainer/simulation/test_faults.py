from datetime import timedelta

import pytest

from gossip_api.simulation import Fault
from gossip_trainer.errors import RunError
from gossip_trainer.simulation.clock import Clock
from gossip_trainer.simulation.faults import check_ranks, schedule_faults


def fault(seconds, **what):
    return Fault(at=timedelta(seconds=seconds), **what)


def test_each_fault_happens_at_its_time_to_its_rank():
    clock, seen = Clock(), []
    schedule_faults(
        clock,
        (fault(5, join=0), fault(2, crash=0), fault(3, leave=1)),
        crash=lambda rank: seen.append((clock.now, "crash", rank)),
        leave=lambda rank: seen.append((clock.now, "leave", rank)),
        join=lambda rank: seen.append((clock.now, "join", rank)),
    )
    clock.run_while(lambda: bool(clock._heap))
    assert seen == [(2.0, "crash", 0), (3.0, "leave", 1), (5.0, "join", 0)]


def test_a_worker_may_go_and_come_back_in_any_order_of_the_list():
    check_ranks((fault(9, crash=2), fault(5, join=2), fault(2, leave=2)), (), workers=3)


def test_a_new_rank_may_join_and_be_a_straggler():
    check_ranks((fault(1, join=7),), (7,), workers=2)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ((fault(1, crash=3),), r"faults\[0\]: worker 3 is not there at 0:00:01"),
        ((fault(1, crash=1), fault(2, leave=1)), r"faults\[1\]: worker 1 is not there"),
        ((fault(1, join=0),), r"faults\[0\]\.join: worker 0 is there already"),
        ((fault(1, crash=0), fault(2, crash=1)), r"worker 1 is the last one"),
    ],
)
def test_what_cannot_happen_is_refused_with_its_place(faults, message):
    with pytest.raises(RunError, match=message):
        check_ranks(faults, (), workers=2)


def test_a_straggler_that_is_nobody_is_refused():
    with pytest.raises(RunError, match=r"stragglers\[1\]\.worker: got 9, but ranks are 0 to 3"):
        check_ranks((), (0, 9), workers=4)
