"""What a comparison refuses."""

from gossip_trainer.errors import GossipTrainerError


class InvalidComparison(GossipTrainerError):  # noqa: N818 - it names the comparison, as `InvalidJob`
    """What is asked for cannot be compared; the text says what to ask for instead."""
