"""Logs everything that an algorithm is told, and a digest of all that is published.

Together with the job document that is all it takes to do the same again: gradients, data order and
the choice of peers follow from the job, vectors from what was sent. Nothing else of the run knows
that it is traced.
"""

from torch import Tensor
from torch.optim import Optimizer
from xxhash import xxh3_64_hexdigest

from gossip_trainer.algorithms.base import Algorithm, ServerAlgorithm
from gossip_trainer.algorithms.delegate import Delegate
from gossip_trainer.algorithms.effects import (
    Effects,
    Fetch,
    Hear,
    Loss,
    Message,
    Party,
    Rank,
    Send,
    Shard,
)
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.view import View
from gossip_trainer.observability.event_log import EventSink
from gossip_trainer.observability.events import Called
from gossip_trainer.replica.memory import bytes_of
from gossip_trainer.training.links import Publisher
from gossip_trainer.transport.wire import SnapshotHeader


def digest_of(vector: Tensor) -> str:
    """Return the XXH3 digest of a vector's bytes."""
    return xxh3_64_hexdigest(bytes_of(vector))


def party_name(party: Party) -> str:
    """Name a worker or a server, whatever its incarnation."""
    return f"server-{party.index}" if isinstance(party, Shard) else f"worker-{party}"


class EffectNumbers:
    """Numbers an algorithm's sends as its step boundary does: from 1, in the order asked for."""

    def __init__(self) -> None:
        self._numbers: dict[Send, int] = {}
        self._count = 0

    def note(self, effects: Effects) -> None:
        """Give numbers to the sends among `effects`."""
        for effect in effects:
            if isinstance(effect, Send):
                self._count += 1
                self._numbers[effect] = self._count

    def take(self, effect: Fetch | Send | Hear) -> int:
        """Return the number of a send that has ended; 0 for what has none."""
        return self._numbers.pop(effect) if isinstance(effect, Send) else 0


class TracedAlgorithm(Delegate):
    """A worker's algorithm that is watched."""

    def __init__(self, algorithm: Algorithm, events: EventSink) -> None:
        super().__init__(algorithm)
        self._events = events
        self._numbers = EffectNumbers()
        events.emit(called_with(algorithm.view))

    def before_step(self, x: Iterate) -> None:
        """Log and pass on."""
        self._events.emit(Called(call="before_step"))
        super().before_step(x)

    def on_gradient(self, x: Iterate, gradient: Tensor) -> Effects:
        """Log and pass on."""
        self._events.emit(Called(call="gradient", idle=self.idle))
        return self._noted(super().on_gradient(x, gradient))

    def on_step(self, x: Iterate) -> Effects:
        """Log and pass on."""
        self._events.emit(Called(call="step", idle=self.idle))
        return self._noted(super().on_step(x))

    def on_answer(self, effect: Fetch | Send, message: Message | None, x: Iterate) -> Effects:
        """Log and pass on."""
        if isinstance(effect, Send):
            peer = party_name(effect.to)
        else:
            assert message is not None, "a fetch brings a snapshot"
            peer = message.member
        number = self._numbers.take(effect)
        self._events.emit(
            Called(
                call="answer",
                peer=peer,
                number=number,
                step=0 if message is None else message.step,
                finished=message is not None and message.finished,
            )
        )
        return self._noted(super().on_answer(effect, message, x))

    def on_message(self, sender: Party, message: Message, x: Iterate) -> Effects:
        """Log and pass on."""
        self._events.emit(Called(call="message", peer=message.member, number=message.number))
        return self._noted(super().on_message(sender, message, x))

    def on_lost(self, effect: Fetch | Send | Hear, reason: Loss, x: Iterate) -> Effects:
        """Log and pass on."""
        to = effect.to if isinstance(effect, Send) else effect.peer
        number = self._numbers.take(effect)
        self._events.emit(
            Called(call="lost", peer=party_name(to), number=number, reason=reason.value)
        )
        return self._noted(super().on_lost(effect, reason, x))

    def on_view(self, view: View) -> Effects:
        """Log and pass on."""
        self._events.emit(called_with(view))
        return self._noted(super().on_view(view))

    def on_finish(self, x: Iterate) -> Effects:
        """Log and pass on."""
        self._events.emit(Called(call="finish"))
        return self._noted(super().on_finish(x))

    def _noted(self, effects: Effects) -> Effects:
        self._numbers.note(effects)
        return effects


def called_with(view: View) -> Called:
    """Return the record of a new view."""
    return Called(
        call="view",
        ranks=view.ranks,
        incarnations=tuple(member.incarnation for member in view.members),
    )


class TracedPublisher:
    """A publisher that is watched; `optimizer` knows the learning rate."""

    def __init__(self, publisher: Publisher, optimizer: Optimizer, events: EventSink) -> None:
        self._publisher = publisher
        self._optimizer = optimizer
        self._events = events

    def publish(self, x: Iterate, header: SnapshotHeader) -> bool:
        """Pass on, and log what was published, or would have been if there had been room.

        What a worker begins with is in its record `began`.
        """
        if header.samples or header.finished:
            self._events.emit(
                Called(
                    call="published",
                    step=header.step,
                    learning_rate=self._optimizer.param_groups[0]["lr"],
                    digest=digest_of(x.copy()),
                    finished=header.finished,
                )
            )
        return self._publisher.publish(x, header)


class TracedServer:
    """A server's algorithm that is watched; each change of the centre is a publication."""

    def __init__(self, algorithm: ServerAlgorithm, events: EventSink, optimizer: Optimizer) -> None:
        self._inner = algorithm
        self._events = events
        self._optimizer = optimizer

    @property
    def version(self) -> int:
        """The inner one's."""
        return self._inner.version

    @property
    def centre(self) -> Iterate:
        """The inner one's."""
        return self._inner.centre

    def on_message(self, sender: Rank, message: Message) -> Effects:
        """Log and pass on."""
        self._events.emit(Called(call="message", peer=message.member, number=message.number))
        effects = self._inner.on_message(sender, message)
        self._events.emit(
            Called(
                call="published",
                step=self.version,
                learning_rate=self._optimizer.param_groups[0]["lr"],
                digest=digest_of(self.centre.copy()),
            )
        )
        return effects

    def on_view(self, view: View) -> Effects:
        """Log and pass on."""
        self._events.emit(called_with(view))
        return self._inner.on_view(view)
