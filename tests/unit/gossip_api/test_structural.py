"""From pydantic's JSON Schema to the dialect of CRDs."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, JsonValue

from gossip_api.record import Record
from gossip_api.structural import structural_schema


class Inner(Record):
    """Inner."""

    size: Annotated[float, Field(gt=0, lt=2)] = 1.0


class Needy(Record):
    """Needy."""

    must: str


def property_of(annotation, *default):
    namespace = {"__annotations__": {"field": annotation}, "__module__": __name__}
    if default:
        namespace["field"] = default[0]
    model = type("Model", (Record,), namespace)
    return structural_schema(model)["properties"]["field"]


def test_exclusive_bounds_become_booleans():
    assert property_of(Annotated[float, Field(gt=0, lt=2)]) == {
        "type": "number",
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 2,
        "exclusiveMaximum": True,
    }


def test_a_union_with_null_is_its_other_member_without_a_default():
    assert property_of(str | None, None) == {"type": "string"}


def test_references_are_put_in_place():
    assert property_of(Inner)["properties"]["size"]["type"] == "number"


def test_a_nested_default_is_empty_so_that_inner_defaults_fill_it():
    assert property_of(Inner, Inner())["default"] == {}


def test_an_object_with_required_fields_has_no_default():
    assert "default" not in property_of(Needy, Needy(must="x"))


def test_one_allowed_value_becomes_an_enum():
    assert property_of(Literal["a"]) == {"type": "string", "enum": ["a"]}


def test_a_pair_becomes_a_list_of_two():
    assert property_of(tuple[int, int]) == {
        "type": "array",
        "items": {"type": "integer"},
        "minItems": 2,
        "maxItems": 2,
    }


def test_free_mappings_keep_what_is_in_them():
    kept = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    assert property_of(dict[str, JsonValue]) == kept


def test_mappings_to_one_type_say_so():
    assert property_of(dict[str, int]) == {
        "type": "object",
        "additionalProperties": {"type": "integer"},
    }


@pytest.mark.parametrize("annotation", [int | str, set[str], JsonValue])
def test_what_has_no_counterpart_is_refused(annotation):
    with pytest.raises(TypeError, match="structural"):
        property_of(annotation)
