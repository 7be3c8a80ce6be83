"""What Grafana makes of a query before it asks Prometheus, for tests and drawings. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_VARIABLE: Final = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def interpolate(text: str, values: Mapping[str, str | Sequence[str]]) -> str:
    """Put values in the place of variables; of several, any may match.

    Raises:
        KeyError: a variable has no value.

    """
    return _VARIABLE.sub(lambda found: _text(values[found[1] or found[2]]), text)


def rate_interval(step: float, scrape_interval: float) -> str:
    """Return `$__rate_interval` for points every `step` seconds: at least four scrapes."""
    return f"{max(step + scrape_interval, 4 * scrape_interval):g}s"


def legend(form: str, labels: Mapping[str, str]) -> str:
    """Write a series' name; a label that it does not have is empty."""
    return _LABEL.sub(lambda found: labels.get(found[1], ""), form).strip()


def _text(value: str | Sequence[str]) -> str:
    if isinstance(value, str):
        return value
    chosen = [re.escape(each).replace("\\", "\\\\") for each in value]
    return chosen[0] if len(chosen) == 1 else f"({'|'.join(chosen)})"
