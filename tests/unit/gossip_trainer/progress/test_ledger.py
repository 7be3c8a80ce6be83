import itertools
import math

import pytest

from gossip_trainer.progress.ledger import Ledger, LedgerRecord, ProcessKey, Stop, StopReason

FIRST, SECOND, THIRD = ProcessKey(0, 0, 100), ProcessKey(0, 1, 200), ProcessKey(0, 2, 300)


def test_of_one_process_the_larger_count_stays():
    ledger = Ledger()
    for samples in (7, 10, 8):
        ledger.count(FIRST, samples)
    assert ledger.samples == 10


def test_a_restarted_process_of_one_incarnation_counts_beside_the_one_before():
    ledger = Ledger()
    ledger.count(FIRST, 10)
    ledger.count(FIRST._replace(started=150), 4)
    assert ledger.samples == 14


@pytest.mark.parametrize("order", list(itertools.permutations([FIRST, SECOND, THIRD])))
def test_processes_of_one_rank_add_up_in_whatever_order_they_are_heard_of(order):
    samples = {FIRST: 10, SECOND: 5, THIRD: 3}
    ledger = Ledger()
    for key in order:
        ledger.merge(LedgerRecord(math.inf, ((*key, samples[key]),)))
    assert ledger.samples == 18


def test_a_ledger_adds_up_all_ranks():
    ledger = Ledger()
    assert (ledger.samples, ledger.began, ledger.stop) == (0, math.inf, None)
    ledger.count(ProcessKey(0, 0, 1), 11)
    ledger.count(ProcessKey(3, 0, 1), 5)
    assert ledger.samples == 16


def test_a_ledger_travels_whole():
    ledger, other = Ledger(began=3.5), Ledger()
    ledger.count(FIRST, 10)
    ledger.count(ProcessKey(3, 1, 200), 5)
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
