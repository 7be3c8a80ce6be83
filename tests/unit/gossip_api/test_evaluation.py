"""The evaluator's settings."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from gossip_api.evaluation import Evaluation


def test_defaults():
    assert Evaluation() == Evaluation(every=timedelta(minutes=1), sample=32, workers=4)


def test_durations_are_read_and_written_as_text():
    evaluation = Evaluation.model_validate({"every": "90s"})
    assert evaluation.every == timedelta(seconds=90)
    assert evaluation.model_dump(by_alias=True)["every"] == "1m30s"


@pytest.mark.parametrize(
    "settings", [{"every": 60}, {"every": "0s"}, {"sample": 0}, {"workers": -1}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        Evaluation.model_validate(settings)


def test_a_duration_finer_than_it_can_be_written_is_refused():
    with pytest.raises(ValidationError, match="duration"):
        Evaluation(every=timedelta(microseconds=1))
