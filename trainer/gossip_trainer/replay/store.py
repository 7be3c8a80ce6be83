"""What has been published, sent and answered so far in a replay."""

from collections import Counter

from torch import Tensor

from gossip_trainer.algorithms.effects import Answer, Effects, Message, Request, Send
from gossip_trainer.replay.script import SnapshotKey


class Store:
    """Keeps everything until it is taken the last time; None is what is not there yet.

    Args:
        readers: how often each snapshot is going to be taken.

    Attributes:
        added: how much has been put in so far.

    """

    def __init__(self, readers: Counter[SnapshotKey]) -> None:
        self._readers = readers
        self._snapshots: dict[SnapshotKey, Tensor] = {}
        self._sent: dict[tuple[str, int], tuple[Send, int]] = {}
        self._answers: dict[Request, Answer] = {}
        self.added = 0

    def publish(self, key: SnapshotKey, vector: Tensor) -> None:
        """Keep a snapshot, if anybody is going to read it."""
        if self._readers[key]:
            self._snapshots[key] = vector
            self.added += 1

    def snapshot(self, key: SnapshotKey) -> Tensor | None:
        """Take a snapshot."""
        vector = self._snapshots.get(key)
        if vector is not None:
            self._readers[key] -= 1
            if not self._readers[key]:
                del self._snapshots[key]
        return vector

    def send(self, member: str, number: int, send: Send, step: int) -> None:
        """Keep a message."""
        self._sent[member, number] = (send, step)
        self.added += 1

    def message(self, sender: str, number: int) -> Message | None:
        """Take a message that was sent."""
        found = self._sent.pop((sender, number), None)
        if found is None:
            return None
        send, step = found
        request = Request(sender, number) if send.asks else None
        return Message(send.vector, step, send.scalars, number, request)

    def answer_all(self, effects: Effects) -> None:
        """Keep all answers among `effects`."""
        for effect in effects:
            if isinstance(effect, Answer):
                self._answers[effect.request] = effect
                self.added += 1

    def answer(self, request: Request) -> Message | None:
        """Take an answer."""
        answer = self._answers.pop(request, None)
        return None if answer is None else Message(answer.vector, answer.step, answer.scalars)
