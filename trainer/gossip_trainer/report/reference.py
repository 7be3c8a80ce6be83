"""Generates docs/event-log.md: the formats of events.jsonl and summary.json, from the code.

`python -m gossip_trainer.report.reference > docs/event-log.md` brings it up to date.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from typing import TYPE_CHECKING, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from gossip_trainer.observability.events import Event, Record
from gossip_trainer.report.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """\
# Files of a run

Generated from the code by `python -m gossip_trainer.report.reference`; do not edit.

## events.jsonl

One JSON object a line, appended by every process of the run as things happen. Lines of different
processes may be a little out of order; `time` tells. A last line without a line break is one
whose writer was killed; leave it out.
"""

SUMMARY = """\
## summary.json

One JSON object, written when the run has ended.
"""

Structs = list[type[msgspec.Struct]]


def reference() -> str:
    """Return the text of docs/event-log.md."""
    events: Structs = list(get_args(Record))
    common = "".join(["### Every record\n\n", _about(Event), _fields(Event, event_tag=True)])
    parts = [INTRODUCTION, common, *(_section(event, _tag(event)) for event in events)]
    parts += [_section(struct, struct.__name__) for struct in _nested(events)]
    parts += [SUMMARY + "\n" + _fields(Summary)]
    parts += [
        _section(struct, struct.__name__)
        for struct in _nested([Summary])
        if struct not in _nested(events)
    ]
    return "\n".join(parts)


def _section(struct: type[msgspec.Struct], title: str) -> str:
    return f"### `{title}`\n\n{_about(struct)}{_fields(struct)}"


def _about(struct: type[msgspec.Struct]) -> str:
    return f"{_docstring(struct).partition('Attributes:')[0].strip()}\n"


def _tag(struct: type[msgspec.Struct]) -> str:
    return str(struct.__struct_config__.tag)


def _fields(struct: type[msgspec.Struct], *, event_tag: bool = False) -> str:
    """Return the table of the fields that `struct` has beyond those of every record."""
    base = Event.__struct_fields__ if struct is not Event and issubclass(struct, Event) else ()
    hints = get_type_hints(struct)
    texts = described(struct)
    rows = [("event", "string", "which record it is: the titles below")] if event_tag else []
    rows += [
        (name, _type(hints[name]), texts[name])
        for name in struct.__struct_fields__
        if name not in base
    ]
    head = [("field", "type", "meaning"), ("---", "---", "---")]
    cells = [*head, *((f"`{name}`", kind, text) for name, kind, text in rows)]
    return "\n" + "".join(f"| {' | '.join(row)} |\n" for row in cells)


def described(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Read the `Attributes:` section of a docstring: each field's text in one line."""
    section = _docstring(struct).partition("Attributes:\n")[2]
    texts: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if match := re.match(r" {4}(\w+): (.*)", line):
            name = match[1]
            texts[name] = match[2]
        elif line.strip():
            texts[name] += f" {line.strip()}"
    return texts


def _docstring(struct: type) -> str:
    return inspect.cleandoc(struct.__doc__ or "")


def _type(hint: object) -> str:
    """Say a type in the words of JSON."""
    words = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
    if isinstance(hint, type) and hint in words:
        return words[hint]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"`{hint.__name__}`"
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(f'"{value}"' for value in arguments)
    if origin is Union or origin is types.UnionType:
        return " or ".join(_type(argument) for argument in arguments)
    if origin is tuple and arguments[1:] == (...,):
        return f"list of {_type(arguments[0])}"
    if origin is dict and arguments[0] is str:
        return f"object of {_type(arguments[1])}"
    raise TypeError(f"got {hint!r}; teach this module how JSON calls it")


def _nested(structs: Structs) -> Structs:
    """List the structs inside of `structs`, each once, in order of appearance."""
    found: Structs = []
    for struct in structs:
        for hint in get_type_hints(struct).values():
            for inner in _structs_in(hint):
                found += [new for new in [inner, *_nested([inner])] if new not in found]
    return found


def _structs_in(hint: object) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for argument in get_args(hint):
        yield from _structs_in(argument)


if __name__ == "__main__":
    sys.stdout.write(reference())
