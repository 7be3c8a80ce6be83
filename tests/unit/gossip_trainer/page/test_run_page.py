import msgspec
import numpy as np
import pytest

from gossip_trainer.page.run_page import CONSENSUS, HELD_OUT_ACCURACY, HELD_OUT_LOSS, run_page
from gossip_trainer.page.sources import read_run


@pytest.fixture
def log(run_folder):
    return read_run(run_folder, "digits")


def charts_of(page):
    return {chart.title: chart for section in page.sections for chart in section.charts}


def test_a_run_alone_shows_the_average_and_the_workers_own_models(log):
    loss = charts_of(run_page([log]))[HELD_OUT_LOSS]

    average, own = loss.series
    assert (average.label, own.label) == ("averaged model", "workers' own models")
    assert own.low == pytest.approx(1.1 * average.y)
    assert own.high == pytest.approx(1.2 * average.y)


def test_every_curve_has_a_place_on_every_axis(log):
    average = charts_of(run_page([log]))[HELD_OUT_LOSS].series[0]

    assert average.x["seconds"].tolist() == list(range(1, 11))
    assert average.x["samples"].tolist() == [2700 * second for second in range(1, 11)]
    assert average.x["bytes"][0] == 300 * 1000 / 4


def test_the_target_is_in_the_chart_of_its_metric(log):
    charts = charts_of(run_page([log]))

    assert charts[HELD_OUT_ACCURACY].target == 0.9
    assert charts[HELD_OUT_LOSS].target is None


def test_several_runs_have_a_curve_each_and_a_row_each(log):
    page = run_page([log, log])

    assert [len(chart.series) for chart in charts_of(page).values()] == [2, 2, 2, 2]
    assert [series.style for series in charts_of(page)[CONSENSUS].series] == [0, 1]
    assert len(page.tables[0].rows) == 2
    assert len(page.stories) == 2


def test_facts_are_those_of_the_summary(log):
    facts = dict(run_page([log]).facts)

    assert facts["final accuracy"] == "96.79%"
    assert facts["to accuracy 0.9"] == "7.0 s"
    assert facts["time"] == "10.0 s"
    assert facts["exchanges lost"] == "5"


def test_losses_that_are_not_finite_are_told_and_leave_gaps(tmp_path, records, write):
    blind = [
        msgspec.structs.replace(each, loss=None)
        if hasattr(each, "loss") and 3 <= each.time - records[0].time <= 5
        else each
        for each in records
    ]
    page = run_page([read_run(write(tmp_path / "blind", blind), "blind")])

    average = charts_of(page)[HELD_OUT_LOSS].series[0]
    assert np.isnan(average.y).tolist() == [n in {3, 4, 5} for n in range(1, 11)]
    assert "blind: the loss was not finite in 3 of its evaluations" in page.warnings


def test_what_happened_is_told_in_the_order_of_time(log):
    (story,) = run_page([log]).stories

    assert story.news == (
        (6.0, "worker-2-0 was lost: killed by SIGKILL"),
        (6.5, "worker-2-1 takes the place of worker-2-0"),
        (10.0, "stopping: the budget is used up"),
    )
