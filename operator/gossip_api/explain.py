"""What pydantic found wrong, in words for the author of a job file, at the place in that file."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING

from gossip_api.record import BROKEN_RULES, record_in
from gossip_api.yaml_tree import Mark, Node, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from gossip_api.errors import Problem
    from gossip_api.record import Record

Location = tuple[int | str, ...]

_MUST = {
    "int_type": "be a whole number",
    "int_from_float": "be a whole number",
    "float_type": "be a number",
    "finite_number": "be a finite number",
    "bool_type": "be true or false",
    "string_type": "be text; quote it",
    "model_type": "be a mapping of keys to values",
    "dict_type": "be a mapping of keys to values",
    "tuple_type": "be a list",
    "greater_than": "be above {gt:g}",
    "greater_than_equal": "be at least {ge:g}",
    "less_than": "be below {lt:g}",
    "less_than_equal": "be at most {le}",
    "string_too_short": "have at least {min_length} character(s)",
    "string_too_long": "have at most {max_length} characters",
    "too_short": "have at least {min_length} items",
    "too_long": "have at most {max_length} items",
    "duration": "be {expected}",
}
"""How the sentence `got ...; must` ends, by type of pydantic error; the rest is pydantic's text."""


def explain(error: ValidationError, model: type[Record], root: Node) -> list[Problem]:
    """Translate every error of validating `root` as `model` (by alias) into a problem."""
    return [
        problem
        for details in error.errors(include_url=False)
        for problem in _problems(details, model, root)
    ]


def _problems(details: ErrorDetails, model: type[Record], root: Node) -> Iterable[Problem]:
    location = details["loc"]
    if details["type"] == BROKEN_RULES:
        for name, message in details["ctx"]["broken"]:
            inner = name.split(".") if name else []
            blamed = (*location, *inner)
            given = _at(details["input"], inner)
            got = f"got {_shown(given)}; " if given and message.startswith("must") else ""
            yield _value_mark(root, blamed).problem(blamed, got + message)
    elif details["type"] == "extra_forbidden":
        message = _unknown_key(str(location[-1]), _record(model, location[:-1]))
        yield _key_mark(root, location).problem(location, message)
    else:
        message = _sentence(details, _reason(_field(model, location)))
        yield _value_mark(root, location).problem(location, message)


def _at(document: object, path: Iterable[str]) -> object:
    """Return what the document holds at the path; None where it holds nothing."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _sentence(details: ErrorDetails, reason: str) -> str:
    kind, context = details["type"], details.get("ctx", {})
    because = f" ({reason})" if reason else ""
    if kind == "missing":
        return f"is required{because}"
    got = f"got {_shown(details['input'])}"
    if kind == "string_pattern_mismatch":  # the description says it better than the pattern
        return f"{got}; must be {reason or context['pattern']}"
    if kind == "literal_error":
        allowed = re.findall("'([^']*)'", context["expected"])
        nearest = _nearest(str(details["input"]), allowed)
        return f"{got}{nearest}; must be {'one of ' * (len(allowed) > 1)}{', '.join(allowed)}"
    if kind in _MUST:
        return f"{got}; must {_MUST[kind].format(**context)}{because}"
    return f"{got}: {details['msg']}{because}"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, str):
        return f"'{shorten(value)}'"
    return shorten(json.dumps(value))


def _unknown_key(key: str, record: type[Record] | None) -> str:
    allowed = list(record.field_names()) if record else []
    return f"unknown key{_nearest(key, allowed)}; allowed here: {', '.join(allowed)}"


def _nearest(word: str, allowed: list[str]) -> str:
    """Say which allowed word was probably meant, if any comes near, whatever its case."""
    folded = {choice.lower(): choice for choice in allowed}
    plain = word[:100].lower().replace("_", "")
    matches = difflib.get_close_matches(plain, folded, n=1)
    return f" (did you mean {folded[matches[0]]}?)" if matches else ""


def _reason(field: FieldInfo | None) -> str:
    """Give the first sentence of the field's description, to go on after a semicolon."""
    if field is None or not field.description:
        return ""
    sentence = " ".join(field.description.split()).split(". ")[0].rstrip(".")
    return sentence[0].lower() + sentence[1:]


def _field(model: type[Record], location: Location) -> FieldInfo | None:
    """Find the field that holds the location; None outside the models."""
    field = None
    record: type[Record] | None = model
    for part in location:
        if isinstance(part, int):  # an item of a list of records
            continue
        if record is None:
            break
        field = record.model_fields.get(record.field_names().get(str(part), ""))
        record = record_in(field.annotation) if field else None
    return field


def _record(model: type[Record], location: Location) -> type[Record] | None:
    if not location:
        return model
    field = _field(model, location)
    return record_in(field.annotation) if field else None


def _key_mark(root: Node, location: Location) -> Mark:
    return _walk(root, location)[0]


def _value_mark(root: Node, location: Location) -> Mark:
    """Return the place of the value; of the key that should hold it where it is missing."""
    key, value = _walk(root, location)
    return value or key


def _walk(root: Node, location: Location) -> tuple[Mark, Mark | None]:
    """Follow the location as far as it exists: the last key's place, and the value's if there."""
    node, key = root, root.mark
    for part in location:
        if isinstance(node.value, dict) and part in node.value:
            entry = node.value[str(part)]
            node, key = entry.node, entry.mark
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            key = node.mark
        else:
            return key, None
    return key, node.mark
