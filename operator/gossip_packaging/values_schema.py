"""values.schema.json, by which Helm refuses values that the chart does not know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from gossip_packaging.annotated import Group

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gossip_packaging.annotated import Entry, Section, Value

_TYPES: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_GLOBAL: Final = {
    "type": "object",
    "description": "What Helm hands to the charts of a chart; not used.",
}


def values_schema(sections: Sequence[Section]) -> str:
    """Write the schema of all values as JSON."""
    entries = [entry for section in sections for entry in section.entries]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the chart gossip-training",
        **_mapping(entries),
    }
    schema["properties"]["global"] = _GLOBAL
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _mapping(entries: Iterable[Entry]) -> dict[str, Any]:
    properties = {
        entry.name: _mapping(entry.members) if isinstance(entry, Group) else _value(entry)
        for entry in entries
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _value(value: Value) -> dict[str, Any]:
    return {
        "description": value.description,
        "type": _TYPES[type(value.default)],
        **value.restriction,
        "default": value.default,
    }
