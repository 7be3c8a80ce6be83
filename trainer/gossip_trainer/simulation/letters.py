"""What others sent to a member, in virtual time."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gossip_trainer.algorithms.effects import Answer, Request
from gossip_trainer.training.links import Letter

Answered = Callable[[Answer | None], None]
"""Told of the answer, or with None that there will be none because the member is gone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message on its way in; `answered` is for one that asks."""

    letter: Letter
    answered: Answered | None = None


class VirtualLetters:
    """One member's letter box.

    Args:
        on_news: called when one has come.

    Attributes:
        closed: whether the member takes no more.

    """

    def __init__(self, on_news: Callable[[], None]) -> None:
        self._on_news = on_news
        self._come: deque[Letter] = deque()
        self._unanswered: dict[Request, Answered] = {}
        self.closed = False

    def deposit(self, asked: Asked) -> bool:
        """Put a message in; False if the member takes no more."""
        if self.closed:
            return False
        request = asked.letter.message.request
        if request is not None and asked.answered is not None:
            self._unanswered[request] = asked.answered
        self._come.append(asked.letter)
        self._on_news()
        return True

    def collect(self) -> Letter | None:
        """Return the next one, if there is one."""
        return self._come.popleft() if self._come else None

    def release(self, letter: Letter) -> None:
        """Nothing is to be given back: nobody changes a vector that was sent."""

    def answer(self, answer: Answer) -> None:
        """Answer one that asks."""
        self._unanswered.pop(answer.request)(answer)

    def close(self) -> None:
        """Take no more."""
        self.closed = True

    def die(self) -> None:
        """Lose all that has come and answer nobody."""
        self.closed = True
        self._come.clear()
        unanswered, self._unanswered = self._unanswered, {}
        for answered in unanswered.values():
            answered(None)
