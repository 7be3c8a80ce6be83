import math

import pytest

from gossip_trainer.page.comparison_page import comparison_page
from gossip_trainer.page.html import html
from gossip_trainer.page.write import write_comparison_page


def ahead(strategy, workers, seed, _rate):
    return {"all-reduce": 10.0, "pull-gossip": 40.0 / workers}[strategy] + seed


def test_every_size_has_its_charts_with_a_curve_per_strategy(report):
    page = comparison_page(report(ahead))

    assert [section.title for section in page.sections] == ["4 workers", "16 workers"]
    for section in page.sections:
        assert [len(chart.series) for chart in section.charts] == [2, 2, 2]


def test_a_strategy_looks_the_same_at_every_size(report):
    sections = comparison_page(report(ahead)).sections

    looks = {
        (series.label, series.style)
        for section in sections
        for chart in section.charts
        for series in chart.series
    }
    assert looks == {("all-reduce", 0), ("pull-gossip", 1)}


def test_a_curve_is_the_mean_of_the_seeds_with_their_range_while_all_train(report):
    (section, _) = comparison_page(report(ahead)).sections
    (series,) = [each for each in section.charts[1].series if each.label == "all-reduce"]

    # Accuracies rise from 0.1 to 0.8 in 10, 11 and 12 seconds.
    assert (series.x["seconds"][0], series.x["seconds"][-1]) == (0, 10)
    assert series.x["samples"][-1] == pytest.approx(1000)
    assert series.y[-1] == pytest.approx(0.1 + 0.7 * (10 / 10 + 10 / 11 + 10 / 12) / 3)
    assert series.low[-1] == pytest.approx(0.1 + 0.7 * 10 / 12)
    assert series.high[-1] == pytest.approx(0.8)


def test_one_seed_has_no_range(report):
    (section, _) = comparison_page(report(ahead, seeds=1)).sections

    assert all(series.low is None for chart in section.charts for series in chart.series)


def test_the_verdict_comes_first_and_the_table_has_a_row_per_size_and_strategy(report):
    page = comparison_page(report(ahead))

    assert page.title == "small: which strategy reaches accuracy 0.8 soonest"
    assert page.lead[0].startswith("4 workers: ")
    assert [row[:2] for row in page.tables[0].rows] == [
        ("all-reduce", "4"),
        ("pull-gossip", "4"),
        ("pull-gossip", "16"),
        ("all-reduce", "16"),
    ]


def test_a_strategy_whose_cells_all_failed_has_a_row_and_no_curve(report):
    page = comparison_page(
        report(lambda strategy, *_: "no memory" if strategy == "all-reduce" else 5.0)
    )

    assert [series.label for series in page.sections[0].charts[0].series] == ["pull-gossip"]
    assert page.tables[0].rows[1][7] == "0 of 3, 3 failed"


def test_a_comparison_in_which_nothing_was_reached_has_a_page(report, tmp_path):
    write_comparison_page(report(lambda *_: math.inf), tmp_path / "report.html")

    assert "no strategy reached the target" in (tmp_path / "report.html").read_text()


def test_the_page_is_bounded_however_many_strategies_there_are(report):
    names = ",".join(f"pull-gossip:period={period}" for period in range(1, 31))

    text = html(comparison_page(report(lambda *_: 5.0, strategies=names)))

    assert len(text) < 3_000_000
