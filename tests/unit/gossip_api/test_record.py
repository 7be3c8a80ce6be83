"""Records: strict, frozen, and every broken rule at once."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import pytest
from pydantic import Field, ValidationError

from gossip_api.record import BROKEN_RULES, Record, Rule, StringMap, TaggedRecord, record_in


class Span(Record):
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("upTo", "must not be below from", lambda s: s.begin <= s.up_to, "self.a <= self.b"),
        Rule("", "must be odd in sum", lambda s: (s.begin + s.up_to) % 2 == 1, "true"),
    )
    ignored: ClassVar[frozenset[str]] = frozenset({"serverTime"})

    begin: int = 0
    up_to: int = 1


class Shape(TaggedRecord):
    tag: ClassVar[str] = "kind"
    only: ClassVar[Mapping[str, tuple[str, ...]]] = {"corner_radius": ("box",)}

    kind: str
    corner_radius: float = 1.0


class Marked(Record):
    labels: StringMap = Field(default_factory=dict)


def test_a_record_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Span().begin = 3


@pytest.mark.parametrize("value", ["1", True, 1.5, [1]])
def test_nothing_is_guessed_from_another_type(value):
    with pytest.raises(ValidationError):
        Span.model_validate({"begin": value})


def test_null_counts_as_absent():
    assert Span.model_validate({"upTo": None}) == Span()


def test_a_key_of_a_map_that_is_null_counts_as_absent():
    assert Marked.model_validate({"labels": {"team": "a", "": None}}).labels == {"team": "a"}


def test_null_does_not_hide_an_unknown_key():
    with pytest.raises(ValidationError, match="nonsense"):
        Span.model_validate({"nonsense": None})


def test_keys_of_the_server_are_ignored():
    assert Span.model_validate({"serverTime": 3}) == Span()


def test_all_broken_rules_are_reported_together():
    with pytest.raises(ValidationError) as caught:
        Span(begin=4, up_to=2)
    (error,) = caught.value.errors()
    assert error["type"] == BROKEN_RULES
    assert [field for field, _ in error["ctx"]["broken"]] == ["upTo", ""]


def test_rules_stand_in_the_schema_for_the_api_server():
    assert Span.model_json_schema()["x-kubernetes-validations"] == [
        {"rule": "self.a <= self.b", "message": "must not be below from", "fieldPath": ".upTo"},
        {"rule": "true", "message": "must be odd in sum"},
    ]


def test_a_field_for_another_tag_is_refused_even_with_its_default():
    with pytest.raises(ValidationError, match="cornerRadius: is only for kind box"):
        Shape(kind="ball", corner_radius=1.0)


def test_a_field_for_another_tag_is_not_written():
    assert Shape(kind="ball").model_dump() == {"kind": "ball"}
    assert Shape(kind="ball").model_dump(by_alias=True) == {"kind": "ball"}
    assert Shape(kind="box").model_dump(by_alias=True) == {"kind": "box", "cornerRadius": 1.0}


def test_a_field_for_some_tags_has_no_default_in_the_schema():
    assert "default" not in Shape.model_json_schema()["properties"]["cornerRadius"]


def test_a_record_is_found_in_an_optional_annotation():
    assert record_in(Span | None) is Span
    assert record_in(Span) is Span
    assert record_in(int | None) is None


def test_a_record_is_found_in_a_list_that_may_be_missing():
    assert record_in(tuple[Span, ...]) is Span
    assert record_in(Annotated[tuple[Span, ...], "at most three"] | None) is Span
    assert record_in(tuple[int, ...] | None) is None
