"""What one worker counts while it trains; plain numbers that only its training thread changes."""

from dataclasses import dataclass, replace


@dataclass(slots=True)
class Counters:
    """Totals since the process began.

    Attributes:
        steps: optimizer steps, on top of those of the model the worker began with.
        exchanges: fetches that arrived and were mixed in.
        lost: fetches that came to nothing.
        skipped: fetches not begun because the one before was still under way.
        unpublished: steps not published because readers held every buffer.
        received_bytes: model bytes that arrived.
        loss_sum: sum of the steps' finite losses.
        nonfinite: steps whose loss was not finite.
        staleness_sum: sum over exchanges of own step less the step the peer published at.

    """

    steps: int = 0
    exchanges: int = 0
    lost: int = 0
    skipped: int = 0
    unpublished: int = 0
    received_bytes: int = 0
    loss_sum: float = 0.0
    nonfinite: int = 0
    staleness_sum: int = 0

    def copy(self) -> "Counters":
        """Return the numbers as they are now."""
        return replace(self)
