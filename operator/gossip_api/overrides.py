"""Changes to a document from the command line: `path=value`, the value being YAML.

A changed value remembers the option it came from, so that what is wrong with it is reported there.
Whether a path exists is for validation to say: it knows the allowed keys.
"""

from __future__ import annotations

import dataclasses

from gossip_api.errors import InvalidJob
from gossip_api.yaml_tree import MAX_DEPTH, Document, Entry, Mark, Node, join_path, read_value

_TOP_LEVEL = {"apiVersion", "kind", "metadata", "spec", "status"}


def apply_override(document: Document, override: str) -> Document:
    """Return the document with one value set; InvalidJob where the override cannot be read.

    `spec.` at the beginning of the path may be left out. Missing mappings on the way are made;
    a list's items are addressed by index. The value null removes what is there.
    """
    path, separator, text = override.partition("=")
    mark = Mark(f"--set {join_path([override])}")
    keys = path.strip().split(".")
    if not separator or not all(keys) or len(keys) > MAX_DEPTH:
        message = "must be path=value, for example training.batchSize=64"
        raise InvalidJob([mark.problem((), message)])
    if keys[0] not in _TOP_LEVEL:
        keys.insert(0, "spec")
    value = read_value(text, mark.source)
    problems = (
        dataclasses.replace(problem, path=join_path([*keys, *filter(None, [problem.path])]))
        for problem in value.problems
    )
    root = _replaced(document.root, keys, 0, value.root)
    return Document(root, (*document.problems, *problems))


def _replaced(node: Node, keys: list[str], depth: int, new: Node) -> Node:
    """Return the node with what is at `keys[depth:]` in it replaced."""
    if depth == len(keys):
        return new
    key = keys[depth]
    if isinstance(node.value, list):
        index = _index(node.value, keys, depth, new.mark)
        items = list(node.value)
        items[index] = _replaced(items[index], keys, depth + 1, new)
        return dataclasses.replace(node, value=items)
    entries = node.value if isinstance(node.value, dict) else {}
    mark = node.mark if isinstance(node.value, dict) else new.mark
    old = entries.get(key, Entry(new.mark, Node(new.mark, None)))
    entry = Entry(
        new.mark if depth == len(keys) - 1 else old.mark, _replaced(old.node, keys, depth + 1, new)
    )
    return dataclasses.replace(node, mark=mark, value={**entries, key: entry})


def _index(items: list[Node], keys: list[str], depth: int, mark: Mark) -> int:
    key = keys[depth]
    if key.isascii() and key.isdigit() and len(key) <= 9 and int(key) < len(items):
        return int(key)
    message = f"there is no item {join_path([key])}; the list has {len(items)}, counted from 0"
    raise InvalidJob([mark.problem(keys[:depth], message)])
