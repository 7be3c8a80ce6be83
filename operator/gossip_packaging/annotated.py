"""values.yaml with its comments: what each value means, may be, and is by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DESCRIPTION: Final = "# -- "
_SCHEMA: Final = "# @schema "
_SECTION: Final = "### "


@dataclass(frozen=True, slots=True)
class Value:
    """A value that users may set.

    Attributes:
        name: its key.
        description: Markdown.
        default: as in values.yaml; of a mapping or a list all keys and items are the user's.
        restriction: JSON Schema that says more than the default's type.

    """

    name: str
    description: str
    default: Any
    restriction: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """Values that belong together; other keys than these are errors."""

    name: str
    members: Sequence[Entry]


Entry: TypeAlias = "Value | Group"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of values.yaml and what is below it."""

    title: str
    entries: Sequence[Entry]


def read_values(text: str) -> list[Section]:
    """Read an annotated values.yaml; ValueError names the line of a value without description."""
    lines = text.splitlines()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("line 1: there are no values here")  # noqa: TRY004 - of the text, not a type
    found: dict[str, list[Entry]] = {}
    for entry, line in _entries(root, lines):
        titles = [above for above in lines[:line] if above.startswith(_SECTION)]
        if not titles:
            raise ValueError(f"line {line + 1}: {entry.name} stands above the first {_SECTION!r}")
        found.setdefault(titles[-1].removeprefix(_SECTION), []).append(entry)
    return [Section(title, entries) for title, entries in found.items()]


def _entries(mapping: yaml.MappingNode, lines: Sequence[str]) -> Iterator[tuple[Entry, int]]:
    """Read the keys of a mapping, each with its line."""
    for key, node in mapping.value:
        line = key.start_mark.line
        description, restriction = _comment(lines, line)
        if description:
            default = yaml.SafeLoader("").construct_object(node, deep=True)
            yield Value(key.value, description, default, restriction), line
        elif isinstance(node, yaml.MappingNode) and node.value:
            yield Group(key.value, tuple(entry for entry, _ in _entries(node, lines))), line
        else:
            raise ValueError(f"line {line + 1}: {key.value} has no comment {_DESCRIPTION!r} above")


def _comment(lines: Sequence[str], line: int) -> tuple[str, Mapping[str, Any]]:
    """Read the comment that ends just above a line."""
    begin = line
    while begin > 0 and lines[begin - 1].lstrip().startswith("#"):
        begin -= 1
    description: list[str] = []
    restriction: dict[str, Any] = {}
    for above in map(str.strip, lines[begin:line]):
        if above.startswith(_SCHEMA):
            restriction |= yaml.safe_load(above.removeprefix(_SCHEMA))
        elif above.startswith(_DESCRIPTION):
            description = [above.removeprefix(_DESCRIPTION)]
        elif description:
            description.append(above.removeprefix("#").strip())
    return " ".join(description), restriction
