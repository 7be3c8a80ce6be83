import pytest

from gossip_trainer.cli.counts import parse_counts
from gossip_trainer.cli.errors import InvalidCommand


def test_numbers_are_read_in_their_order_whatever_blanks_are_between_them():
    assert parse_counts("8") == [8]
    assert parse_counts("32,8, 128 ,8") == [32, 8, 128, 8]
    assert parse_counts("999999") == [999_999]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "8,0",
        "8,",
        ",8",
        "a",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "1_000",
        "8;9",
        "1000000",
        "9" * 5000,
        "\u0668",
        "\u00b2",
    ],
)
def test_what_is_no_whole_number_in_the_range_is_refused_as_it_was_given(text):
    with pytest.raises(InvalidCommand) as refusal:
        parse_counts(text)
    assert str(refusal.value) == (
        f"--workers {text}: must be whole numbers above 0 and below 1000000 with commas "
        "between them, such as 8,32,128"
    )
