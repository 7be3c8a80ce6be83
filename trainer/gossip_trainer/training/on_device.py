"""The exchange and the letters of a worker whose model is on a device of its own.

Algorithms mix vectors on the device; sockets carry host memory. Both of these stand between a step
boundary and what carries messages: what arrives is copied to the device by the thread that received
it, before the boundary is told, and what is sent goes to the host beside the computation. Effects,
outcomes and letters are otherwise the same.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

import torch
from torch import Tensor

from gossip_trainer.algorithms.effects import Answer, Message, Send
from gossip_trainer.replica.device import DeviceLink, HostLink
from gossip_trainer.training.exchange import Arrived, Dispatch, Outcome
from gossip_trainer.training.letters import MailboxLetters
from gossip_trainer.training.links import Letter, Letters, Sender
from gossip_trainer.transport.mailbox import Mailbox

OnNews = Callable[[], None]


class ClosableSender(Sender, Protocol):
    """A sender with threads to end."""

    def close(self) -> None:
        """End the threads; what is under way is aborted."""
        ...


class ExchangeOnDevice:
    """Carries out fetches and sends of vectors on a device.

    Args:
        make: makes the exchange of host memory; it tells of what there is to collect, from its own
            threads, by calling what it is given. What ends where it begins it need not tell of.
        link: between the device and host memory.
        on_news: called, from any thread, when there is something to collect or `busy` has ended.

    """

    def __init__(
        self, make: Callable[[OnNews], ClosableSender], link: DeviceLink, on_news: OnNews
    ) -> None:
        self._link = link
        self._on_news = on_news
        self._guard = threading.Lock()
        self._is_leaving = False  # whether something is still on its way to the host
        self._num_landing = 0  # outcomes on their way to the device, or not collected there
        self._landed: SimpleQueue[Outcome] = SimpleQueue()
        self._asked: dict[Send, Send] = {}  # by what is sent in its stead, from host memory
        self._inner = make(self._arrived)

    @property
    def busy(self) -> bool:
        """Whether something begun has neither been collected nor been put aside."""
        with self._guard:
            return self._is_leaving or self._num_landing > 0 or self._inner.busy

    def begin(self, batch: Sequence[Dispatch]) -> None:
        """Begin everything in `batch`; the batch before must have been collected."""
        sends = [dispatch.effect for dispatch in batch if isinstance(dispatch.effect, Send)]
        if not sends:
            self._inner.begin(batch)
            # What was read from shared memory is there already.
            self._link.bring_out((), self._take_in_from_there)
            return
        self._is_leaving = True
        vectors = [send.vector for send in sends]
        self._link.bring_out(vectors, partial(self._begin_from_host, tuple(batch)))

    def collect(self) -> Outcome | None:
        """Return what something has come to, or None if there is no news."""
        try:
            outcome = self._landed.get_nowait()
        except Empty:
            return None
        with self._guard:
            self._num_landing -= 1
        return outcome

    def close(self) -> None:
        """End the threads; what is under way is aborted."""
        self._inner.close()

    def _begin_from_host(self, batch: Sequence[Dispatch], vectors: tuple[Tensor, ...]) -> None:
        brought, dispatches = iter(vectors), []
        for dispatch in batch:
            effect = dispatch.effect
            if isinstance(effect, Send):
                stand_in = replace(effect, vector=next(brought))
                self._asked[stand_in] = effect
                dispatches.append(replace(dispatch, effect=stand_in))
            else:
                dispatches.append(dispatch)
        with self._guard:
            self._inner.begin(dispatches)
            self._is_leaving = False
        self._take_in()

    def _take_in_from_there(self, _vectors: tuple[Tensor, ...]) -> None:
        self._take_in()

    def _arrived(self) -> None:
        if not self._take_in():
            self._on_news()  # that it is no longer busy

    def _take_in(self) -> bool:
        """Land all there is; tell whether there was anything."""
        num_landed = 0
        while True:
            with self._guard:
                outcome = self._inner.collect()
                self._num_landing += outcome is not None
            if outcome is None:
                break
            self._landed.put(self._land(outcome))
            num_landed += 1
        if num_landed:
            self._on_news()
        return num_landed > 0

    def _land(self, outcome: Outcome) -> Outcome:
        effect = outcome.effect
        if isinstance(effect, Send):
            outcome = replace(outcome, effect=self._asked.pop(effect))
        if isinstance(outcome, Arrived) and outcome.message is not None:
            outcome = replace(outcome, message=_on_device(outcome.message, self._link))
        return outcome


class LettersOnDevice:
    """Others' messages, their vectors on a device.

    Args:
        inner: the letters in host memory. Whoever fills them calls `arrived` for news.
        link: between the device and host memory.
        on_news: called, from any thread, when there is a letter to collect.

    """

    def __init__(self, inner: Letters, link: DeviceLink, on_news: OnNews) -> None:
        self._inner = inner
        self._link = link
        self._on_news = on_news
        self._in_order = threading.Lock()
        self._landed: SimpleQueue[Letter] = SimpleQueue()
        self._held: dict[int, Letter] = {}  # in host memory, by the identity of that on the device

    def arrived(self) -> None:
        """Take in what has come; called by the threads that received it."""
        with self._in_order:
            while (letter := self._inner.collect()) is not None:
                landed = replace(letter, message=_on_device(letter.message, self._link))
                self._held[id(landed)] = letter
                self._landed.put(landed)
        self._on_news()

    def collect(self) -> Letter | None:
        """Return the next one, if there is one; its vector is valid until it is released."""
        try:
            return self._landed.get_nowait()
        except Empty:
            return None

    def release(self, letter: Letter) -> None:
        """Let go of a letter's vector, here and in host memory, so that both have bounds."""
        self._inner.release(self._held.pop(id(letter)))

    def answer(self, answer: Answer) -> None:
        """Answer one that asks."""

        def send(vectors: tuple[Tensor, ...]) -> None:
            self._inner.answer(replace(answer, vector=vectors[0]))

        self._link.bring_out((answer.vector,), send)

    def close(self) -> None:
        """Take no more; what has come can still be collected."""
        self._inner.close()


def exchange_over(
    link: DeviceLink, make: Callable[[OnNews], ClosableSender], on_news: OnNews
) -> ClosableSender:
    """Return an exchange for a model at the far end of `link`; `make` makes that of host memory."""
    return make(on_news) if isinstance(link, HostLink) else ExchangeOnDevice(make, link, on_news)


def letters_over(
    link: DeviceLink, make: Callable[[OnNews], Mailbox], dtype: torch.dtype, on_news: OnNews
) -> tuple[Mailbox, Letters]:
    """Return the mailbox that `make` makes, and its letters for a model at the far end of `link`.

    `dtype` is of the vectors as they travel.
    """
    if isinstance(link, HostLink):
        mailbox = make(on_news)
        return mailbox, MailboxLetters(mailbox, dtype)
    mailbox = make(lambda: letters.arrived())  # noqa: PLW0108 - there are no letters yet
    letters = LettersOnDevice(MailboxLetters(mailbox, dtype), link, on_news)
    return mailbox, letters


def _on_device(message: Message, link: DeviceLink) -> Message:
    return replace(message, vector=link.bring_in(message.vector))
