"""Parts nested state into tensors and plain JSON, and puts it together again.

What `state_dict` returns is dictionaries, with keys of any kind, lists, numbers, texts and tensors.
Tensors are kept by their path; everything else becomes JSON in which nothing is ambiguous.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue
from torch import Tensor

from gossip_trainer.errors import CheckpointError

_PLAIN = (str, int, float, bool, type(None))


def split(tree: object) -> tuple[dict[str, Tensor], JsonValue]:
    """Return the tensors of `tree` by path, and the rest.

    Raises:
        CheckpointError: something in it is neither plain nor a tensor.

    """
    tensors: dict[str, Tensor] = {}
    return tensors, _split(tree, "", tensors)


def join(tensors: Mapping[str, Tensor], rest: JsonValue) -> Any:
    """Return the tree that `split` parted."""
    match rest:
        case {"tensor": str(path)}:
            return tensors[path]
        case {"items": list(items)}:
            return {_key(key): join(tensors, value) for key, value in _pairs(items)}
        case {"tuple": list(parts)}:
            return tuple(join(tensors, part) for part in parts)
        case list(parts):
            return [join(tensors, part) for part in parts]
        case _:
            return rest


def _split(tree: object, path: str, tensors: dict[str, Tensor]) -> JsonValue:
    match tree:
        case Tensor():
            while path in tensors:  # two ways may be spelled alike: {1: t} and {"1": t}
                path += "'"
            tensors[path] = tree.detach()
            return {"tensor": path}
        case Mapping():
            return {
                "items": [
                    [key, _split(value, f"{path}/{key}" if path else str(key), tensors)]
                    for key, value in tree.items()
                ]
            }
        case tuple():
            return {"tuple": [_split(v, f"{path}/{i}", tensors) for i, v in enumerate(tree)]}
        case list():
            return [_split(value, f"{path}/{i}", tensors) for i, value in enumerate(tree)]
        case str() | int() | float() | bool() | None:
            return tree
        case _:
            raise CheckpointError(
                f"{path}: a {type(tree).__name__} cannot be saved; a state may have dictionaries, "
                "lists, tuples, numbers, texts and tensors"
            )


def _pairs(items: list[JsonValue]) -> list[tuple[JsonValue, JsonValue]]:
    return [(pair[0], pair[1]) for pair in items if isinstance(pair, list)]


def _key(key: JsonValue) -> object:
    if not isinstance(key, _PLAIN):
        raise CheckpointError(f"{key!r} cannot be a key of a saved state")
    return key
