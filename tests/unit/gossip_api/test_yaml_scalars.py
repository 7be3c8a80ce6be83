"""Scalars: the core schema of YAML 1.2 within JSON's limits."""

import pytest

from gossip_api.yaml_scalars import UnreadableScalar, read_scalar


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4", 1e-4),
        ("1E5", 100_000),
        ("-.5", -0.5),
        ("1.", 1),
        ("1.0", 1),
        ("+7", 7),
        ("0123", 123),
        ("0o17", 15),
        ("0xFF", 255),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("9223372036854775808", 9223372036854775808.0),
        ("-0", 0),
    ],
)
def test_plain_scalars_follow_the_core_schema(text, expected):
    value = read_scalar(text, tag=None, plain=True)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "on", "off", "y", "2026-01-02", "1_000", "12:30:00", "0b1", "1e", "-", "."],
)
def test_what_only_older_yaml_reads_as_something_else_is_text(text):
    assert read_scalar(text, tag=None, plain=True) == text


@pytest.mark.parametrize("text", ["1", "true", "null", ".nan"])
def test_quoted_scalars_are_text(text):
    assert read_scalar(text, tag=None, plain=False) == text
    assert read_scalar(text, tag="!", plain=True) == text


@pytest.mark.parametrize(
    "text", [".inf", "-.INF", ".nan", "1e999", "9" * 400, "9" * 5000, "0." + "1" * 5000]
)
def test_numbers_that_json_does_not_have_are_refused(text):
    with pytest.raises(UnreadableScalar, match="finite number"):
        read_scalar(text, tag=None, plain=True)


def test_known_tags_are_obeyed():
    assert read_scalar("1", tag="tag:yaml.org,2002:str", plain=True) == "1"
    assert read_scalar("1", tag="tag:yaml.org,2002:int", plain=False) == 1
    assert read_scalar("1", tag="tag:yaml.org,2002:float", plain=True) == 1


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("x", "tag:yaml.org,2002:int"),
        ("1.5", "tag:yaml.org,2002:int"),
        ("AAAA", "tag:yaml.org,2002:binary"),
        ("x", "tag:yaml.org,2002:python/name:os.system"),
        ("x", "!local"),
    ],
)
def test_other_tags_are_refused(text, tag):
    with pytest.raises(UnreadableScalar, match="tag"):
        read_scalar(text, tag=tag, plain=True)


def test_half_a_character_is_refused():
    with pytest.raises(UnreadableScalar, match="Unicode"):
        read_scalar("\ud800", tag=None, plain=False)
