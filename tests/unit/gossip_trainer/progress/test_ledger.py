import itertools
import math

import pytest

from gossip_trainer.progress.ledger import (
    Ledger,
    LedgerRecord,
    Stop,
    StopReason,
    Tally,
    merge_tallies,
)

FIRST, SECOND, THIRD = Tally(0, 100, 0, 10), Tally(1, 200, 0, 5), Tally(2, 300, 0, 3)


def test_of_one_process_the_larger_count_stays():
    assert merge_tallies(FIRST, FIRST._replace(own=7)) == FIRST
    assert merge_tallies(FIRST, FIRST._replace(own=12)).own == 12


def test_a_newer_process_carries_the_samples_of_the_older():
    assert merge_tallies(FIRST, SECOND) == SECOND._replace(carried=10)
    assert merge_tallies(SECOND, FIRST).total == 15


def test_of_one_incarnation_the_process_that_started_later_is_newer():
    restarted = Tally(0, 150, 0, 4)
    assert merge_tallies(FIRST, restarted) == restarted._replace(carried=10)


def test_samples_already_carried_are_not_carried_again():
    carrying = SECOND._replace(carried=10)
    assert merge_tallies(carrying, FIRST) == carrying


def test_three_processes_of_one_rank_add_up_in_whatever_order_they_are_heard_of():
    totals = set()
    for a, b, c in itertools.permutations([FIRST, SECOND, THIRD]):
        totals.add(merge_tallies(merge_tallies(a, b), c).total)
        totals.add(merge_tallies(a, merge_tallies(b, c)).total)
    assert totals == {18}


def test_a_ledger_adds_up_all_ranks():
    ledger = Ledger()
    assert (ledger.samples, ledger.began, ledger.stop) == (0, math.inf, None)
    ledger.add_tally(0, FIRST)
    ledger.add_tally(3, SECOND)
    ledger.add_tally(0, FIRST._replace(own=11))
    assert ledger.samples == 16


def test_a_ledger_travels_whole():
    ledger, other = Ledger(began=3.5), Ledger()
    ledger.add_tally(0, FIRST)
    ledger.add_tally(3, SECOND._replace(carried=2))
    ledger.end(Stop(9.0, "worker-0-0", StopReason.TARGET))
    other.merge(ledger.record())
    assert other == ledger


def test_the_earliest_beginning_of_all_is_kept():
    ledger = Ledger(began=5.0)
    for began in (7.0, 3.0, math.inf):
        ledger.merge(LedgerRecord(began, ()))
    assert ledger.began == 3.0


STOPS = [
    Stop(2.0, "worker-1-0", StopReason.BUDGET),
    Stop(2.0, "worker-3-0", StopReason.DEADLINE),
    Stop(3.0, "evaluator-0-0", StopReason.TARGET),
]


@pytest.mark.parametrize("order", list(itertools.permutations(STOPS)))
def test_of_stop_records_the_earliest_wins_and_at_equal_times_the_lower_name(order):
    ledger = Ledger()
    for stop in order:
        ledger.merge(LedgerRecord(math.inf, (), stop))
    assert ledger.stop == STOPS[0]


def test_a_stop_record_never_goes_away():
    ledger = Ledger(stop=STOPS[0])
    ledger.merge(LedgerRecord(math.inf, ()))
    assert ledger.stop == STOPS[0]
