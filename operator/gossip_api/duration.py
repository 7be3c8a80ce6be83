"""Lengths of time as people write them: `500ms`, `60s`, `5m`, `1h30m`, `2d`.

Longest unit first, each at most once, whole numbers, longer than zero. The grammar is one regular
expression (RE2), so that the API server enforces the same one.
"""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
PATTERN = "^" + "".join(f"([1-9][0-9]{{0,8}}{unit})?" for unit in UNITS) + "$"
EXPECTED = "a duration above zero such as 500ms, 60s, 5m, 1h30m or 2d"


def parse_duration(text: str) -> timedelta:
    """Read a duration; ValueError says what is allowed."""
    match = re.fullmatch(PATTERN, text)
    if not text or match is None:
        raise ValueError(f"got {text!r}; must be {EXPECTED}")
    counts = (int((part or "0").rstrip("dhms")) for part in match.groups())
    try:
        return sum(
            (count * unit for count, unit in zip(counts, UNITS.values(), strict=True)), timedelta()
        )
    except OverflowError:
        raise ValueError(f"got {text!r}; must be at most {timedelta.max.days} days") from None


def format_duration(duration: timedelta) -> str:
    """Write a duration in its shortest form, so that 90 s become `1m30s`.

    Raises ValueError unless it is a whole number of milliseconds above zero.
    """
    if duration <= timedelta() or duration % UNITS["ms"]:
        raise ValueError(f"got {duration!r}; must be a whole number of milliseconds above zero")
    parts = []
    for name, unit in UNITS.items():
        count, duration = divmod(duration, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts)


def _validated(value: object) -> timedelta:
    try:
        if isinstance(value, timedelta):
            return parse_duration(format_duration(value))
        if isinstance(value, str):
            return parse_duration(value)
    except ValueError:
        pass  # the reader of a job file gets the one sentence below for every malformed value
    raise PydanticCustomError("duration", "must be {expected}", {"expected": EXPECTED})


Duration = Annotated[
    timedelta,
    BeforeValidator(_validated),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 2, "pattern": PATTERN}),
]
"""A timedelta above zero, spelled as a string in documents."""
