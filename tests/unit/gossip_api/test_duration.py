"""Durations: the grammar, the canonical form, and what is refused."""

import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossip_api.duration import PATTERN, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("60s", timedelta(minutes=1)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1d2h3m4s5ms", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
    ],
)
def test_durations_are_read_as_people_write_them(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "60", "0s", "1h0m", "30m1h", "1m1m", "-5m", "1.5h", "5 m", "5M", "5m\n", "05m"]
)
def test_other_texts_are_refused_with_an_example(text):
    with pytest.raises(ValueError, match="1h30m"):
        parse_duration(text)


def test_a_duration_beyond_a_timedelta_is_refused():
    with pytest.raises(ValueError, match="999999999 days"):
        parse_duration("999999999d999999h")


@pytest.mark.parametrize(("text", "canonical"), [("90s", "1m30s"), ("48h", "2d"), ("1000ms", "1s")])
def test_the_canonical_form_uses_the_longest_units(text, canonical):
    assert format_duration(parse_duration(text)) == canonical


@given(st.integers(min_value=1, max_value=10**12))
@settings(max_examples=50, deadline=None)
def test_every_number_of_milliseconds_survives_being_written(milliseconds):
    duration = timedelta(milliseconds=milliseconds)
    text = format_duration(duration)
    assert re.search(PATTERN, text)
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "duration", [timedelta(), timedelta(seconds=-1), timedelta(microseconds=1)]
)
def test_what_has_no_written_form_is_refused(duration):
    with pytest.raises(ValueError, match="whole number of milliseconds above zero"):
        format_duration(duration)
