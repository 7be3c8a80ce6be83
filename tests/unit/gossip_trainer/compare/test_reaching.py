import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossip_api.training import Target
from gossip_trainer.compare.reaching import reaching
from gossip_trainer.compare.records import Point

ACCURACY = Target(metric="accuracy", value=0.8)
LOSS = Target(metric="loss", value=0.5)


def points(values, metric="accuracy"):
    return [
        Point(
            seconds=10.0 * place,
            samples=1000.0 * place,
            steps=20.0 * place,
            received_bytes=300.0 * place,
            accuracy=value if metric == "accuracy" else 0.0,
            loss=value if metric == "loss" else 1.0,
            consensus_distance=0.0,
        )
        for place, value in enumerate(values)
    ]


def test_it_lies_between_the_evaluation_that_meets_the_target_and_the_one_before():
    reached = reaching(points([0.1, 0.7, 0.9, 0.6]), ACCURACY)
    assert reached.seconds == pytest.approx(15.0)
    assert reached.samples == pytest.approx(1500.0)
    assert reached.steps == pytest.approx(30.0)
    assert reached.received_bytes == pytest.approx(450.0)
    assert reached.gap_seconds == 10.0


def test_a_loss_is_reached_from_above():
    assert reaching(points([2.0, 1.0, 0.0], "loss"), LOSS).seconds == pytest.approx(15.0)
    assert reaching(points([2.0, 1.0, 0.6], "loss"), LOSS) is None


def test_meeting_it_exactly_counts():
    assert reaching(points([0.1, 0.8]), ACCURACY).seconds == pytest.approx(10.0)


def test_what_meets_it_from_the_start_takes_no_time():
    assert reaching(points([0.9]), ACCURACY).seconds == 0.0


def test_never_meeting_it_is_none():
    assert reaching(points([0.1, 0.7999]), ACCURACY) is None
    assert reaching(points([None, None]), ACCURACY) is None


def test_nothing_is_interpolated_from_a_model_that_is_not_finite():
    assert reaching(points([0.1, None, 0.9]), ACCURACY).seconds == 20.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_it_is_never_later_than_the_first_that_meets_it_nor_earlier_than_the_one_before(values):
    reached = reaching(points(values), ACCURACY)
    first = next((place for place, value in enumerate(values) if value >= 0.8), None)
    if first is None:
        assert reached is None
    else:
        assert 10.0 * max(0, first - 1) <= reached.seconds <= 10.0 * first
