"""Who may exchange with whom: the graph of a gossip job."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from gossip_api.record import TaggedRecord

POWER_OF_TWO = ("Hypercube", "OnePeerExponential")
"""Graphs that are made for a power of two and fall back to something near for other numbers."""

WITHOUT_CHOICE = ("OnePeerExponential", "RandomMatching")
"""Graphs that give every worker one peer at a time."""


class Topology(TaggedRecord):
    """Who may exchange with whom, by place in the order of the live ranks."""

    tag: ClassVar[str] = "type"
    only: ClassVar[Mapping[str, tuple[str, ...]]] = {"fallback": POWER_OF_TWO}

    type: Literal[
        "Complete",
        "Ring",
        "Torus",
        "Hypercube",
        "Exponential",
        "OnePeerExponential",
        "RandomMatching",
    ] = "Complete"
    """Graph family. Complete: everybody. Ring: the two beside. Torus: the four beside in the grid
    that is nearest to a square; a prime number of workers makes it a ring. Hypercube: those whose
    place differs in one bit. Exponential: those 1, 2, 4, ... places further. OnePeerExponential:
    one of these after the other. RandomMatching: pairs drawn anew for every exchange; of an odd
    number one worker stays out."""
    fallback: bool = True
    """Whether a number of workers that is no power of two is allowed. Hypercube then leaves out the
    places that nobody has, and OnePeerExponential reaches consensus only in the limit."""
