import pytest

from gossip_trainer.page.lanes import lanes_of
from gossip_trainer.page.records import LAGGING, Mark
from gossip_trainer.page.tracks import tracks_of
from gossip_trainer.report.history import fold


@pytest.fixture
def lanes(records):
    history = fold(records)
    return lanes_of(history, tracks_of(history))


def test_a_rank_has_one_lane_for_the_lost_process_and_its_replacement(lanes):
    assert [lane.name for lane in lanes] == ["worker 0", "worker 1", "worker 2", "worker 3"]
    assert [(each.begin, each.end) for each in lanes[2].stretches] == [(0, 6), (7, 10)]


def test_a_lane_says_who_was_lost_and_who_joined(lanes):
    assert lanes[2].marks == (
        Mark("lost", 6.0, "worker-2-0 was lost: killed by SIGKILL"),
        Mark("joined", 7.0, "worker-2-1 joined with the model of worker-0-0"),
    )
    assert lanes[0].marks == ()


def test_a_worker_at_less_than_half_the_median_pace_lags(lanes):
    assert {each.level for each in lanes[3].stretches} == {LAGGING}
    assert {each.level for each in lanes[0].stretches} == {3}


def test_a_run_in_which_nobody_began_has_no_lanes():
    assert lanes_of(fold([]), ()) == ()
