"""pydantic models to structural schemas, the JSON Schema dialect of Kubernetes CRDs.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
says what that dialect lacks: references, unions with null, `const`, numeric exclusive bounds.
Covers the constructs that the models of this package use and refuses any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gossip_api.record import Record

Schema = dict[str, Any]

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_KEPT = frozenset(
    {
        "default",
        "description",
        "enum",
        "format",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "pattern",
        "required",
        "type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-validations",
    }
)
_DROPPED = frozenset({"$defs", "title"})


def structural_schema(model: type[Record]) -> Schema:
    """Return the structural schema of what the model accepts, spelled as in documents.

    Raises TypeError for a model with a construct that has no counterpart here.
    """
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _converted(schema, schema.get("$defs", {}))


def _converted(schema: Schema, definitions: Schema) -> Schema:
    out: Schema = {}
    for key, value in _flattened(schema, definitions).items():
        if key == "properties":
            out[key] = {name: _property(part, definitions) for name, part in value.items()}
        elif key in {"items", "prefixItems"}:  # a tuple's items are all alike in our models
            out["items"] = _converted(value[0] if key == "prefixItems" else value, definitions)
        elif key == "additionalProperties":
            out |= _additional(value, definitions)
        else:
            out |= _keyword(key, value)
    if "type" not in out:
        raise TypeError(f"a structural schema needs a type, in {schema}")
    return out


def _keyword(key: str, value: Any) -> Schema:
    if key == "description":
        return {key: " ".join(value.split())}  # a docstring's lines are no paragraphs
    if key == "const":
        return {"enum": [value], "type": _TYPES[type(value)]}
    if key in {"exclusiveMinimum", "exclusiveMaximum"}:
        return {key: True, key.removeprefix("exclusive").lower(): value}
    if key in _DROPPED:
        return {}
    if key not in _KEPT:
        raise TypeError(f"the keyword {key!r} has no structural counterpart")
    return {key: value}


def _flattened(schema: Schema, definitions: Schema) -> Schema:
    """Replace a reference by its target and a union with null by the other member.

    The API server drops a null where the schema does not allow it, as the models do.
    """
    if "$ref" in schema:
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _flattened({**target, **rest}, definitions)
    if "anyOf" in schema:
        member, null = schema["anyOf"]
        if null != {"type": "null"}:
            raise TypeError(f"only a union with null has a structural counterpart, not {schema}")
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        if rest.get("default", ...) is None:
            del rest["default"]
        return _flattened({**member, **rest}, definitions)
    return schema


def _property(schema: Schema, definitions: Schema) -> Schema:
    """Convert a property; an object's default becomes `{}`, which its own defaults then fill.

    An object with required fields cannot have a default.
    """
    out = _converted(schema, definitions)
    if "default" in out and "properties" in out:
        del out["default"]
        if not out.get("required"):
            out["default"] = {}
    return out


def _additional(values: Any, definitions: Schema) -> Schema:
    """Convert the schema of a mapping's values; false, true and `{}` stand for none and any."""
    if values is False:
        return {}  # the API server prunes unknown fields, or refuses them when asked to be strict
    flat = {} if values is True else _flattened(values, definitions)
    if not flat:
        return {"x-kubernetes-preserve-unknown-fields": True}
    return {"additionalProperties": _converted(flat, definitions)}
