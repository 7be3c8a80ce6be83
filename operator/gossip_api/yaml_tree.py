"""YAML text to a tree of JSON values in which everything knows its place.

Bounded in depth and in size (after expansion of aliases), and never recursive. What a scalar means
is yaml_scalars' matter; this module knows nothing of jobs either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeAlias

import yaml

from gossip_api.errors import InvalidJob, Problem
from gossip_api.yaml_scalars import Scalar, UnreadableScalar, read_scalar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Json: TypeAlias = "dict[str, Json] | list[Json] | Scalar"

MAX_DEPTH = 50
MAX_SIZE = 100_000
# libyaml is some twenty times faster; PyYAML comes without it on some systems.
_PARSER: type = getattr(yaml, "CLoader", yaml.Loader)
_PLAIN_TAGS = {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


class _ParserMark(Protocol):
    """A place as PyYAML gives it, counted from 0."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a source; line and column count from 1, or are None outside a file."""

    source: str
    line: int | None = None
    column: int | None = None

    def problem(self, path: Iterable[str | int], message: str) -> Problem:
        """Report a problem at this place."""
        return Problem(self.source, self.line, self.column, join_path(path), message)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's place and its value."""

    mark: Mark
    node: Node


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the document: a mapping, a list or a scalar."""

    mark: Mark
    value: dict[str, Entry] | list[Node] | Scalar
    size: int = 1
    """Values in it, itself included, with aliases expanded."""
    height: int = 0
    """Levels of nesting in it."""

    def plain(self) -> Json:
        """Return the value without places."""
        if isinstance(self.value, dict):
            return {key: entry.node.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


@dataclass(frozen=True, slots=True)
class Document:
    """A document, and what was wrong in it that did not keep the rest from being read."""

    root: Node
    problems: tuple[Problem, ...]


def join_path(path: Iterable[str | int]) -> str:
    """Write a path into a document as `spec.training.schedule.milestones.0`."""
    return ".".join(shorten(str(part)) for part in path)


def shorten(text: str) -> str:
    """Return the text such that it fits into a message: printable, on one line, not long."""
    printable = text if text.isprintable() else repr(text)[1:-1]
    return printable if len(printable) <= 60 else printable[:57] + "..."


def read_documents(text: str, source: str) -> list[Document]:
    """Read all documents; InvalidJob where the text is no YAML or goes beyond the bounds."""
    return _Composer(source, numbered=True).read(text)


def read_value(text: str, source: str) -> Document:
    """Read one value that is not in a file, so that nothing in it has a line."""
    documents = _Composer(source, numbered=False).read(text)
    if len(documents) > 1:
        raise InvalidJob([Mark(source).problem((), "must be one value, not several documents")])
    return documents[0] if documents else Document(Node(Mark(source), None), ())


@dataclass(slots=True)
class _Composer:
    """Builds trees from the parser's events; PyYAML's own composer has no bounds."""

    source: str
    numbered: bool
    events: Iterator[yaml.Event] = field(default_factory=lambda: iter(()))
    anchors: dict[str, Node | None] = field(default_factory=dict)
    """None while the anchored value is still being read."""
    path: list[str | int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def read(self, text: str) -> list[Document]:
        documents = []
        try:
            self.events = yaml.parse(text, Loader=_PARSER)
            for event in self.events:
                if isinstance(event, yaml.DocumentStartEvent):
                    self.anchors, self.problems = {}, []
                    root = self._node(next(self.events))
                    documents.append(Document(root, tuple(self.problems)))
        except UnicodeEncodeError as error:
            message = "is not valid Unicode text"
            raise InvalidJob([Mark(self.source).problem((), message)]) from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
            raise InvalidJob(
                [self._mark(mark).problem((), f"is not YAML: {shorten(str(what))}")]
            ) from error
        return documents

    def _mark(self, mark: _ParserMark | None) -> Mark:
        if mark is None or not self.numbered:
            return Mark(self.source)
        return Mark(self.source, mark.line + 1, mark.column + 1)

    def _node(self, event: yaml.Event) -> Node:
        mark = self._mark(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(str(event.anchor), mark)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent), "well-formed events"
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = Node(mark, self._scalar(event, mark))
        else:
            node = self._collection(event, mark)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _aliased(self, anchor: str, mark: Mark) -> Node:
        if anchor not in self.anchors:
            self._give_up(mark, f"the alias *{shorten(anchor)} has no anchor before it")
        node = self.anchors[anchor]
        if node is None:
            self._give_up(mark, f"the alias *{shorten(anchor)} stands inside the value it names")
        return node

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> Scalar:
        try:
            return read_scalar(event.value, tag=event.tag, plain=event.implicit[0])
        except UnreadableScalar as error:
            got = shorten(event.value)
            self.problems.append(mark.problem(self.path, f"got {got}; must be {error}"))
            return None

    def _collection(self, event: yaml.CollectionStartEvent, mark: Mark) -> Node:
        if len(self.path) >= MAX_DEPTH:
            self._give_up(mark, f"is nested too deep; at most {MAX_DEPTH} levels are read")
        if event.tag not in _PLAIN_TAGS:
            message = f"got the tag {shorten(str(event.tag))}; must be without a tag"
            self.problems.append(mark.problem(self.path, message))
        children: list[Node]
        value: dict[str, Entry] | list[Node]
        if isinstance(event, yaml.MappingStartEvent):
            value = self._mapping()
            children = [entry.node for entry in value.values()]
        else:
            value = children = self._sequence()
        size = 1 + sum(child.size for child in children)
        height = 1 + max((child.height for child in children), default=0)
        if size > MAX_SIZE:
            self._give_up(mark, f"holds too much; at most {MAX_SIZE} values are read")
        if height > MAX_DEPTH:
            self._give_up(mark, f"is nested too deep; at most {MAX_DEPTH} levels are read")
        return Node(mark, value, size, height)

    def _sequence(self) -> list[Node]:
        items: list[Node] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            self.path.append(len(items))
            items.append(self._node(event))
            self.path.pop()
        return items

    def _mapping(self) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            mark = self._mark(event.start_mark)
            key = self._key(event)
            self.path.append(key if key is not None else "?")
            node = self._node(next(self.events))
            if key is not None and key not in entries:
                entries[key] = Entry(mark, node)
            elif key is not None:
                first = entries[key].mark
                where = "" if first.line is None else f" (first in line {first.line})"
                message = f"is given twice{where}; remove one of the two"
                self.problems.append(mark.problem(self.path, message))
            self.path.pop()
        return entries

    def _key(self, event: yaml.Event) -> str | None:
        self.path.append("?")
        before = len(self.problems)
        key = self._node(event).value
        self.path.pop()
        if isinstance(key, str):
            return key
        if len(self.problems) == before:
            written = event.value if isinstance(event, yaml.ScalarEvent) else None
            got = "a mapping or a list" if written is None else shorten(written) or "nothing"
            message = f"got {got} as a key; keys must be text, so quote it or rename it"
            self.problems.append(self._mark(event.start_mark).problem(self.path, message))
        return None

    def _give_up(self, mark: Mark, message: str) -> NoReturn:
        raise InvalidJob([mark.problem(self.path, message)])
