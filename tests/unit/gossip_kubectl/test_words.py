import pytest
from objects import raw_job

from gossip_api.status import Result
from gossip_kubectl.views import job_view
from gossip_kubectl.words import duration, number, result_words, share, standing


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-1, "0s"),
        (59.4, "59s"),
        (59.6, "1m0s"),
        (3599, "59m59s"),
        (7800, "2h10m"),
        (90000, "1d1h"),
    ],
)
def test_a_length_of_time_has_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


def test_what_is_no_number_is_shown_as_it_is():
    assert (number("strange"), share("strange")) == ("strange", "strange")
    assert (number(None), share(None)) == ("-", "-")


def test_a_result_says_what_was_measured_and_nothing_else():
    assert result_words(Result(loss="12.5", step=100)) == "loss 12.5, step 100"
    assert result_words(Result()) == result_words(None) == "no result is told"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (None, "Unseen"),
        ({"state": "Starting", "workers": {"display": "1/4"}}, "Starting, 1/4 workers ready"),
        (
            {"state": "Running", "progress": {"percent": 40, "step": 1200, "accuracy": "0.9"}},
            "Running, 40%, step 1,200, accuracy 90.00%",
        ),
        (
            {"state": "Succeeded", "progress": {"percent": 99}, "result": {"loss": "0.5"}},
            "Succeeded, loss 0.5",
        ),
    ],
)
def test_how_a_job_stands_is_its_state_and_its_progress_or_result(status, text):
    assert standing(job_view(raw_job() | {"status": status})) == text
