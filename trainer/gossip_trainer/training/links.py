"""What connects a worker with the others, as its step boundary sees it.

The worker process has these over sockets and threads, the simulator over virtual time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gossip_trainer.algorithms.effects import Answer, Message, Party
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.view import View
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.progress.ledger import Stop, StopReason
from gossip_trainer.training.collective import Collective
from gossip_trainer.training.exchange import Dispatch, Outcome
from gossip_trainer.transport.wire import SnapshotHeader


class Publisher(Protocol):
    """Keeps the newest snapshot for whoever fetches it."""

    def publish(self, x: Iterate, header: SnapshotHeader) -> bool:
        """Make x the newest snapshot; False if there is no room for it now."""
        ...


class Neighbours(Protocol):
    """The live workers, less those to leave out for a while, and where everybody serves."""

    view: View

    def refresh(self, now: float) -> bool:
        """Bring the view up to date; tell whether its members changed."""
        ...

    def endpoint(self, party: Party) -> Endpoint | None:
        """Return where a worker or a server is, or None if it has left."""
        ...

    def lost(self, name: str, now: float) -> None:
        """Note that an exchange with the member `name` was lost."""
        ...

    def answered(self, name: str) -> None:
        """Note that an exchange with the member `name` went well."""
        ...

    def finished(self, name: str, now: float) -> None:
        """Note that the member `name` has finished its work."""
        ...


class Sender(Protocol):
    """Carries out fetches and sends beside the training thread."""

    @property
    def busy(self) -> bool:
        """Whether something begun has neither ended, and been collected, nor been put aside."""
        ...

    def begin(self, batch: Sequence[Dispatch]) -> None:
        """Begin everything in `batch`; nothing else may be under way."""
        ...

    def collect(self) -> Outcome | None:
        """Return what something came to, if there is news; valid until the next call."""
        ...


@dataclass(frozen=True, slots=True)
class Letter:
    """What another member's algorithm sent here."""

    sender: str
    message: Message


class Letters(Protocol):
    """Others' messages, in the order in which they came."""

    def collect(self) -> Letter | None:
        """Return the next one, if there is one; its vector is valid until it is released."""
        ...

    def release(self, letter: Letter) -> None:
        """Let go of a letter's vector."""
        ...

    def answer(self, answer: Answer) -> None:
        """Answer one that asks, now or later than it was released."""
        ...

    def close(self) -> None:
        """Take no more; what has come can still be collected."""
        ...


class Progress(Protocol):
    """How far the job is, as far as this worker knows.

    Attributes:
        earlier_seconds: what the job had trained before the processes that train now.

    """

    earlier_seconds: float

    @property
    def samples(self) -> int:
        """Samples of the whole job."""
        ...

    @property
    def own_samples(self) -> int:
        """Samples of this worker."""
        ...

    @property
    def began(self) -> float:
        """When the first worker began, by the wall clock."""
        ...

    @property
    def stop(self) -> Stop | None:
        """Set once the job is to end."""
        ...

    def seconds(self, at: float) -> float:
        """Return how long the job has trained at a time of the wall clock."""
        ...

    def count(self, samples: int) -> None:
        """Add to the own count."""
        ...

    def end(self, reason: StopReason, by: str, at: float) -> None:
        """Record that the job ends, for everyone to hear."""
        ...


@dataclass(frozen=True, slots=True)
class Links:
    """All of them; `collective` only where the strategy needs one."""

    snapshots: Publisher
    peers: Neighbours
    exchange: Sender
    letters: Letters
    progress: Progress
    collective: Collective | None = None
