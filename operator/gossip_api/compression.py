"""How vectors are made smaller before they travel. What each strategy takes is its own rule."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gossip_api.record import TaggedRecord


class Compression(TaggedRecord):
    """How vectors are made smaller before they travel."""

    tag: ClassVar[str] = "type"
    only: ClassVar[Mapping[str, tuple[str, ...]]] = {"fragments": ("Partial",)}

    type: Literal["BFloat16", "Int8", "Partial"]
    """BFloat16: half the bytes; values are rounded up or down by chance, so that they are right on
    average. Int8: about a quarter; what has changed since the last exchange, in whole numbers of
    -127 to 127 times a scale for every 128 values. Partial: one fragment of the model, drawn anew
    for every exchange; only that is averaged."""
    fragments: Annotated[int, Field(ge=2, le=1024)] = 4
    """Into how many equal fragments the model is cut, of which an exchange reads one."""
