"""A stream whose batches are decoded ahead. Its position is that of the batches handed out."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Self, TypeVar

from gossip_trainer.data.dataset import Batch
from gossip_trainer.data.decoding.pool import Decoding
from gossip_trainer.data.decoding.task import Array

TaskT = TypeVar("TaskT")

Position = dict[str, Any]


class DecodedStream(Generic[TaskT]):
    """An endless stream of what `decoding` makes of one task after the other.

    Args:
        next_task: returns a batch's task and the position after that batch.
        decoding: makes a batch of it; the stream's own from now on.
        finish: makes a batch for the training of a decoded one, in memory of its own.
        position: where the stream begins.

    """

    def __init__(
        self,
        next_task: Callable[[], tuple[TaskT, Position]],
        decoding: Decoding[TaskT],
        *,
        finish: Callable[[Array, Array], Batch],
        position: Position,
    ) -> None:
        self._next_task = next_task
        self._decoding = decoding
        self._finish = finish
        self._position = position
        self._positions: deque[Position] = deque()  # after each batch that is under way
        self._fill()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        batch = self._finish(*self._decoding.take())
        self._position = self._positions.popleft()
        self._fill()
        return batch

    def state(self) -> Position:
        """Return the position after the batches handed out so far."""
        return self._position

    def close(self) -> None:
        """End what decodes."""
        self._decoding.close()

    def _fill(self) -> None:
        while len(self._positions) < self._decoding.ahead:
            task, position = self._next_task()
            self._decoding.submit(task)
            self._positions.append(position)


def decoded(tasks: Iterable[TaskT], decoding: Decoding[TaskT]) -> Iterator[tuple[Array, Array]]:
    """Yield what `decoding` makes of tasks that come to an end; good until the next."""
    under_way = 0
    for task in tasks:
        if under_way == decoding.ahead:
            yield decoding.take()
            under_way -= 1
        decoding.submit(task)
        under_way += 1
    for _ in range(under_way):
        yield decoding.take()
