import io
import math

import pytest
from rich.console import Console

from gossip_trainer.compare.estimate import Estimate
from gossip_trainer.compare.table import report_table
from gossip_trainer.compare.words import interval, workers_number


@pytest.fixture
def printed():
    def show(report):
        console = Console(width=140, record=True, file=io.StringIO())
        console.print(report_table(report))
        return [line.rstrip() for line in console.export_text().splitlines()]

    return show


def test_there_is_a_row_for_every_size_and_strategy_soonest_first(report, printed):
    times = {"all-reduce": 20.0, "pull-gossip": 10.0}
    lines = printed(report(lambda strategy, _n, seed, _r: times[strategy] + seed))
    assert lines[0] == "small: to accuracy 0.8, virtual time, means of 3 seeds ± 95 %"
    cells = [line.split() for line in lines[3:7]]
    assert cells[0][:2] == ["4", "pull-gossip"]
    assert cells[1][0] == "all-reduce"
    assert cells[0][2:5] == ["11.0", "±", "2.5"]
    assert cells[2][:2] == ["16", "pull-gossip"]


def test_a_strategy_that_did_not_always_reach_it_says_how_often_and_has_no_mean(report, printed):
    def seconds(strategy, _workers, seed, _rate):
        if strategy == "all-reduce":
            return 10.0
        return (1.0, math.inf, "no memory")[seed]

    row = next(line for line in printed(report(seconds, workers=(4,))) if "1 of 3" in line)
    assert row.split()[:5] == ["pull-gossip", "-", "-", "-", "-"]
    assert "1 of 3, 1 failed" in row


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Estimate(12.345, 0.4567), "12.35 ± 0.46"),
        (Estimate(1234.5, 210.0), "1,234 ± 210"),
        (Estimate(0.012341, 0.00099), "0.01234 ± 0.00099"),
        (Estimate(5.0, 0.0), "5"),
        (Estimate(5.0, None), "5"),
        (None, "-"),
    ],
)
def test_a_mean_has_as_many_digits_as_its_margin_bears(value, text):
    assert interval(value) == text


@pytest.mark.parametrize(("value", "text"), [(7.76, "7.8"), (54.3, "54"), (118.0, "120")])
def test_a_number_of_workers_between_two_sizes_has_two_digits(value, text):
    assert workers_number(value) == text
