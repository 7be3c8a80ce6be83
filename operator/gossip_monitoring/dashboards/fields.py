"""The parts of Grafana's JSON that panels of different looks share."""

from __future__ import annotations

from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

LEGEND: Final = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
TOOLTIP: Final = {"mode": "multi", "sort": "desc"}
PALETTE: Final = {"mode": "palette-classic"}


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of a panel's JSON that depends on its look.

    Attributes:
        type: Grafana's name of the panel.
        query: what each query has beside its expression.
        defaults: for all fields.
        overrides: for some of them.
        options: of the panel.
        transformations: of the answers, in this order.

    """

    type: str
    query: Json
    defaults: Json
    options: Json
    overrides: list[Json] = field(default_factory=list)
    transformations: list[Json] = field(default_factory=list)


def reference(number: int) -> str:
    """Return the name by which the panel knows its query of that number, from 0 on."""
    return ascii_uppercase[number]


def over_time(form: str) -> Json:
    """Ask for the whole time range."""
    return {"format": form, "instant": False, "range": True}


def newest(form: str) -> Json:
    """Ask for the newest values alone."""
    return {"format": form, "instant": True, "range": False}


def override(column: str, **properties: object) -> Json:
    """Set properties of one column; those that are None stay as they are."""
    return {
        "matcher": {"id": "byName", "options": column},
        "properties": [
            {"id": name, "value": value} for name, value in properties.items() if value is not None
        ],
    }


def numbered_words(states: Mapping[str, str]) -> list[Json]:
    """Show the numbers 0, 1, ... as words in their colours."""
    return _mapping(
        {
            str(number): {"text": word, "color": colour, "index": number}
            for number, (word, colour) in enumerate(states.items())
        }
    )


def coloured_words(states: Mapping[str, str]) -> list[Json]:
    """Show words in their colours."""
    return _mapping(
        {
            word: {"color": colour, "index": number}
            for number, (word, colour) in enumerate(states.items())
        }
    )


def _mapping(options: Json) -> list[Json]:
    return [{"type": "value", "options": options}] if options else []
