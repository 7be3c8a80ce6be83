"""Evaluates the Common Expression Language as far as the job document's rules use it.

An expression is translated to Python. What differs is kept stricter than the API server: `||` and
`&&` look at their left side first and do not forgive an error there.
"""

import re
from types import SimpleNamespace

_TRANSLATIONS = (
    (r"has\(([\w.]+)\.(\w+)\)", r"has(\1, '\2')"),
    (r"([\w.]+)\.contains\(('[^']*')\)", r"(\2 in \1)"),
    (r"([\w.]+)\.matches\((r?'[^']*')\)", r"matches(\2, \1)"),
    (r"\.(all|exists_one)\((\w+), ", r".\1(lambda \2: "),
    (r"\[", "Items(["),
    (r"\]", "])"),
    (r"\|\|", " or "),
    (r"&&", " and "),
    (r"!(?!=)", " not "),
)


class Items(list):
    """A list with CEL's macros."""

    def all(self, holds):
        return all(map(holds, self))

    def exists_one(self, holds):
        return sum(map(holds, self)) == 1

    def isSorted(self):  # noqa: N802 - CEL's name
        return self == sorted(self)


def holds(expression, document):
    """Say whether the expression is true of `self`; AttributeError where a field is missing."""
    for pattern, replacement in _TRANSLATIONS:
        expression = re.sub(pattern, replacement, expression)
    names = {"self": _wrapped(document), "has": hasattr, "size": len, "Items": Items}
    names["matches"] = lambda pattern, text: re.search(pattern, text) is not None
    result = eval(expression.strip(), {"__builtins__": {}, **names})  # our own text, in a test
    assert isinstance(result, bool), expression
    return result


def _wrapped(value):
    if isinstance(value, dict):
        return SimpleNamespace(**{key: _wrapped(item) for key, item in value.items()})
    if isinstance(value, list):
        return Items(map(_wrapped, value))
    return value
