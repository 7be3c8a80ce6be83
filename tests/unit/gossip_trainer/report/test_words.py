import pytest

from gossip_trainer.observability.events import Failed, Replaced
from gossip_trainer.report.history import History, fold
from gossip_trainer.report.words import (
    count,
    duration,
    evaluation_line,
    news,
    number,
    share,
    size,
)


def test_losses_replacements_and_failures_are_news(left):
    records = [
        left(),
        Replaced(member="worker-1-1", instead_of="worker-1-0"),
        Failed(source="evaluator-0-0", reason="disk full"),
    ]

    assert news(records, History()) == [
        "worker-1-0 was lost: killed by SIGKILL",
        "worker-1-1 takes the place of worker-1-0",
        "evaluator-0-0 gave up: disk full",
    ]


def test_that_the_job_stops_is_news_once(stopping):
    records = [stopping(), stopping(source="worker-1-0")]

    assert news(records, History()) == ["stopping: the budget is used up"]
    assert news(records, fold(records)) == []


def test_good_ends_and_progress_are_no_news(left, progress, began):
    assert news([left(exit_code=0), progress(), began()], History()) == []


def test_an_evaluation_is_one_line(evaluation):
    assert evaluation_line(evaluation(final=True, loss=None)) == (
        "final evaluation: accuracy 90.00%, loss -, consensus distance 0.25 (average of 2 models)"
    )


def test_an_evaluation_without_classes_tells_the_loss_alone(evaluation):
    assert evaluation_line(evaluation(accuracy=None)) == (
        "evaluation: loss 0.4, consensus distance 0.25 (average of 2 models)"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.9, "1 h 0 min"),
        (7860, "2 h 11 min"),
    ],
)
def test_durations_have_their_two_largest_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_999, "1 MB"),
        (102_400_000, "102 MB"),
        (1.5e9, "1.5 GB"),
        (2.5e15, "2.5e+03 TB"),
    ],
)
def test_sizes_have_three_digits_and_a_unit(num_bytes, text):
    assert size(num_bytes) == text


def test_one_is_singular_and_thousands_are_grouped():
    assert [count(n, "worker") for n in (0, 1, 1200)] == ["0 workers", "1 worker", "1,200 workers"]


def test_numbers_are_short_and_what_is_missing_is_a_dash():
    assert [number(0.123456), number(None), share(0.5), share(None)] == [
        "0.1235",
        "-",
        "50.00%",
        "-",
    ]
