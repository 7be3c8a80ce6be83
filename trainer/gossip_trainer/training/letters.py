"""Others' messages as the training thread sees them: vectors instead of the transport's bytes."""

import torch

from gossip_trainer.algorithms.effects import Answer, Message, Request
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.training.links import Letter
from gossip_trainer.transport.mailbox import Delivery, Mailbox


class MailboxLetters:
    """Reads one mailbox; used by one thread.

    Args:
        mailbox: filled by the serving threads.
        dtype: of all vectors as they travel.

    """

    def __init__(self, mailbox: Mailbox, dtype: torch.dtype) -> None:
        self._mailbox = mailbox
        self._dtype = dtype
        self._held: dict[int, Delivery] = {}  # by the letter's identity

    def collect(self) -> Letter | None:
        """Return the next one, if there is one; its vector is valid until it is released."""
        delivery = self._mailbox.collect()
        if delivery is None:
            return None
        vector = (
            torch.frombuffer(delivery.memory, dtype=self._dtype)
            if delivery.memory.nbytes
            else torch.empty(0, dtype=self._dtype)
        )
        request = Request(delivery.sender, delivery.ticket) if delivery.asks else None
        message = Message(
            vector,
            delivery.step,
            tuple(delivery.scalars),
            delivery.number,
            request,
            member=delivery.sender,
        )
        letter = Letter(delivery.sender, message)
        self._held[id(letter)] = delivery
        return letter

    def release(self, letter: Letter) -> None:
        """Let go of a letter's vector."""
        self._mailbox.release(self._held.pop(id(letter)))

    def answer(self, answer: Answer) -> None:
        """Answer one that asks."""
        request = answer.request
        self._mailbox.answer(
            request.sender,
            request.number,  # the mailbox's ticket
            memory_of(answer.vector),
            step=answer.step,
            scalars=answer.scalars,
        )

    def close(self) -> None:
        """Take no more; what has come can still be collected."""
        self._mailbox.close()
