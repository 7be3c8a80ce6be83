"""What a scalar of a YAML document means: the core schema of YAML 1.2, and JSON's limits.

The API server keeps numbers as int64 or float64, and an integral one as an integer; so does this.
"""

from __future__ import annotations

import math
import re

_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("null", "bool", "int", "float", "str")}
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INT = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INT64 = range(-(2**63), 2**63)
_MAX_DIGITS = 400  # more than any float64 needs; Python refuses to read integers above 4,300

Scalar = str | int | float | bool | None


class UnreadableScalar(ValueError):  # noqa: N818 - it names the scalar, the text says why
    """A scalar that has no JSON value; the text continues `got ...; must be`."""


def read_scalar(text: str, *, tag: str | None, plain: bool) -> Scalar:
    """Return the value of a scalar; `plain` means that it was written without quotes."""
    if tag in {None, "!"}:
        return _resolve(text) if plain and tag is None else _text(text)
    kind = _TAGS.get(str(tag))
    if kind is None:
        raise UnreadableScalar("text, a number, true, false or null, without a tag")
    if kind == "str":
        return _text(text)
    value = _resolve(text)
    if kind != _kind(value) and not (kind == "float" and _kind(value) == "int"):
        raise UnreadableScalar(f"of the type that its tag !!{kind} says")
    return value


def _resolve(text: str) -> Scalar:
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if len(text) <= _MAX_DIGITS:
        if INT.fullmatch(text):
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            return _number(int(text, base))
        if FLOAT.fullmatch(text):
            return _number(float(text))
    if _NOT_FINITE.fullmatch(text) or INT.fullmatch(text) or FLOAT.fullmatch(text):
        raise UnreadableScalar("a finite number of at most float64's size")
    return _text(text)


def _number(value: float) -> int | float:
    if value in _INT64 if isinstance(value, int) else value.is_integer() and int(value) in _INT64:
        return int(value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UnreadableScalar("a finite number of at most float64's size")
    return number


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnreadableScalar("valid Unicode text") from None
    return text


def _kind(value: Scalar) -> str:
    return "null" if value is None else type(value).__name__
