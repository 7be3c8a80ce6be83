"""What one worker counts while it trains; plain numbers that only its training thread changes."""

from dataclasses import dataclass, replace


@dataclass(slots=True)
class Counters:
    """Totals since the process began.

    Attributes:
        steps: optimizer steps, on top of those of the model the worker began with.
        own_steps: those that this process took itself.
        exchanges: own fetches and sends, and means with all others, that ended well.
        heard: others' messages that were taken in.
        lost: those that came to nothing.
        skipped: exchanges not begun because the one before was still under way.
        unpublished: steps not published because readers held every buffer.
        received_bytes: model bytes that arrived.
        sent_bytes: model bytes of own messages that arrived, and of means.
        loss_sum: sum of the steps' finite losses.
        nonfinite: steps whose loss was not finite.
        staleness_sum: sum over the peers' models that arrived of own step less the peer's.
        num_stale: how many models that sum is over.

    """

    steps: int = 0
    own_steps: int = 0
    exchanges: int = 0
    heard: int = 0
    lost: int = 0
    skipped: int = 0
    unpublished: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    loss_sum: float = 0.0
    nonfinite: int = 0
    staleness_sum: int = 0
    num_stale: int = 0

    def copy(self) -> "Counters":
        """Return the numbers as they are now."""
        return replace(self)
