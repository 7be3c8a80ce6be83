"""Where one is in a log that is read in pieces, so that no line comes twice or is left out. Pure.

The kubelet puts the time before every line. A log that is asked for again begins with the whole
second of the last line, of which the lines that have been are left out.
"""

from __future__ import annotations

from dataclasses import dataclass


def split_stamp(line: str) -> tuple[str, str]:
    """Part a line into its time, such as can be compared as text, and what was said."""
    stamp, _, text = line.partition(" ")
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return f"{whole}.{fraction:0<9}", text


@dataclass(slots=True)
class Position:
    """How far a log has been read.

    Attributes:
        stamp: the time of the last line, in the kubelet's form; empty before the first.
        num_same: how many lines of that very time have been.

    """

    stamp: str = ""
    num_same: int = 0
    _skip: int = 0

    def query(self) -> dict[str, str]:
        """Return what to ask for next; what has been of it passes no more."""
        if not self.stamp:
            return {}
        self._skip = self.num_same
        return {"sinceTime": f"{self.stamp.partition('.')[0]}Z"}

    def passes(self, stamp: str) -> bool:
        """Tell whether a line of this time is new, and go on to it."""
        if stamp < self.stamp:
            return False
        if stamp == self.stamp and self._skip:
            self._skip -= 1
            return False
        self.num_same = self.num_same + 1 if stamp == self.stamp else 1
        self.stamp, self._skip = stamp, 0
        return True
