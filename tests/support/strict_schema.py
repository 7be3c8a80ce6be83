"""Structural schemas as JSON Schema, so that an ordinary validator can judge documents."""

INT64 = {"minimum": -(2**63), "maximum": 2**63 - 1}


def json_schema(schema):
    """Translate a structural schema to JSON Schema 2020-12, read as strictly as kubectl does."""
    free = schema.get("x-kubernetes-preserve-unknown-fields", False)
    out = {key: value for key, value in schema.items() if not key.startswith(("x-", "exclusive"))}
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if schema.get(exclusive):
            out[exclusive] = out.pop(bound)
    if "pattern" in schema:
        # `$` is the end in RE2, but also stands before a last newline in Python.
        out["pattern"] = schema["pattern"].removesuffix("$") + r"\Z"
    if schema["type"] == "integer":
        out = {**INT64, **out}
    if "properties" in schema:
        out["properties"] = {key: json_schema(part) for key, part in schema["properties"].items()}
        out["additionalProperties"] = free
    for key in ("items", "additionalProperties"):
        if key in schema:
            out[key] = json_schema(schema[key])
    return out
