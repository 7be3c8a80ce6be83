"""What can go wrong between two workers; a caller handles TransportError and loses one exchange."""

# ruff: noqa: N818 - each class is named after what happened

from typing import Literal

from gossip_trainer.errors import GossipTrainerError

LossReason = Literal["refused", "unreachable", "reset", "closed", "stalled", "aborted"]
"""Why a peer is lost: nobody listens, no way there, cut, hung up, too slow, given up by us."""


class TransportError(GossipTrainerError):
    """An exchange with a peer did not succeed."""


class PeerLost(TransportError):
    """The peer cannot be reached, went away or made no progress; `reason` says which."""

    def __init__(self, reason: LossReason, text: str) -> None:
        super().__init__(f"{text} ({reason})")
        self.reason = reason


class Unsettled(TransportError):
    """The peer may have taken the message, or may not: it is to be settled.

    Attributes:
        stalled: the peer was reached and made no progress; asking it again at once is in vain.

    """

    def __init__(self, error: TransportError) -> None:
        super().__init__(f"it is not known what became of the message: {error}")
        self.stalled = isinstance(error, PeerLost) and error.reason in {"stalled", "aborted"}


class HandshakeRefused(TransportError):
    """One side will not talk to the other; the text names what each of them is."""


class Outdated(HandshakeRefused):
    """The other side knows a newer incarnation of this process and talks to that one only."""


class ProtocolError(TransportError):
    """The peer sent bytes that are no message of this protocol."""


class ChecksumMismatch(TransportError):
    """A chunk of the payload arrived other than it was sent."""


class Busy(TransportError):
    """The peer serves as many others as it may; ask another one."""


class NotReady(TransportError):
    """The peer has not published a snapshot yet; ask later."""


class CredentialsError(TransportError):
    """The files for mutual TLS are missing, unreadable or do not belong together."""
