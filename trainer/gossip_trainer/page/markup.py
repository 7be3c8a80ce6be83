"""Builds HTML and SVG as trees, so that whatever text a run holds can only ever be text. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, tostring

if TYPE_CHECKING:
    from collections.abc import Iterable

Child = Element | str
Attribute = str | float | bool | None


def node(tag: str, *children: Child, **attributes: Attribute) -> Element:
    """Return an element.

    `class_` and `aria_label` stand for `class` and `aria-label`; numbers have two decimals at most,
    True is an attribute without a value, and None or False is none at all.
    """
    element = Element(
        tag,
        {
            name.rstrip("_").replace("_", "-"): "" if value is True else _written(value)
            for name, value in attributes.items()
            if value is not None and value is not False
        },
    )
    return add(element, children)


def add(parent: Element, children: Iterable[Child]) -> Element:
    """Append elements and texts to `parent`, which is returned."""
    for child in children:
        if isinstance(child, Element):
            parent.append(child)
        elif len(parent):
            parent[-1].tail = (parent[-1].tail or "") + child
        else:
            parent.text = (parent.text or "") + child
    return parent


def data(value: object, **attributes: Attribute) -> Element:
    """Return a block of JSON for the script; nothing in it can end the block."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return node("script", text.replace("<", "\\u003c"), type="application/json", **attributes)


def document(root: Element) -> str:
    """Write a whole page."""
    return "<!DOCTYPE html>\n" + tostring(root, encoding="unicode", method="html") + "\n"


def _written(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
