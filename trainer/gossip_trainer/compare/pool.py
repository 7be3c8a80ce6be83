"""Carries out tasks side by side, each worker process one after the other.

Unlike concurrent.futures' pool it outlives a process that dies (for lack of memory, say), knows
which task died with it, and leaves nothing running when it is interrupted. Knows no cells.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

Task = TypeVar("Task")
Found = TypeVar("Found")

Work: TypeAlias = "Callable[[Task, Callable[[float], None]], Found]"
"""Does a task, and tells now and then how much of it is done, in [0, 1]."""

END_SECONDS = 5.0  # how long an ended process may take to go


@dataclass(frozen=True, slots=True)
class Going:
    """How much of the task with this index is done, in [0, 1]."""

    index: int
    fraction: float


@dataclass(frozen=True, slots=True)
class Done(Generic[Found]):
    """A task's result."""

    index: int
    found: Found


@dataclass(frozen=True, slots=True)
class Failed:
    """A task that raised, or whose process died; the reason in one line."""

    index: int
    reason: str


def one_by_one(
    work: Work[Task, Found], tasks: Sequence[Task], watch: Callable[[Going], None]
) -> Iterator[Done[Found] | Failed]:
    """Carry out all tasks here, in order."""
    for index, task in enumerate(tasks):
        yield _attempt(index, task, work, watch)


def side_by_side(
    work: Work[Task, Found],
    processes: int,
    tasks: Sequence[Task],
    watch: Callable[[Going], None],
) -> Iterator[Done[Found] | Failed]:
    """Carry out all tasks in at most `processes` processes, begun in order, told as they end.

    `work` is a function of a module, and tasks and results can be pickled. Closing the iterator
    ends all processes.
    """
    waiting = deque(range(len(tasks)))
    hands: list[_Hand[Task, Found]] = [_Hand(work) for _ in range(min(processes, len(tasks)))]
    try:
        for hand in hands:
            index = waiting.popleft()
            hand.give(index, tasks[index])
        while busy := [hand for hand in hands if hand.index is not None]:
            for connection in wait([hand.connection for hand in busy]):
                hand = next(each for each in busy if each.connection is connection)
                news = hand.hear()
                if isinstance(news, Going):
                    watch(news)
                    continue
                yield news
                if waiting:
                    index = waiting.popleft()
                    hand.give(index, tasks[index])
    finally:
        for hand in hands:
            hand.end()


def reason(error: BaseException) -> str:
    """Put an error into one line."""
    return " ".join(str(error).split()) or type(error).__name__


class _Hand(Generic[Task, Found]):
    """A process, started when there is something to do for it; `index` is of what it is at."""

    def __init__(self, work: Work[Task, Found]) -> None:
        self._work = work
        self._process: SpawnProcess | None = None
        self.connection: Connection
        self.index: int | None = None

    def give(self, index: int, task: Task) -> None:
        if self._process is None:
            self._start()
        self.index = index
        with contextlib.suppress(BrokenPipeError):  # `hear` tells that it died
            self.connection.send((index, task))

    def hear(self) -> Going | Done[Found] | Failed:
        assert self.index is not None
        try:
            news: Going | Done[Found] | Failed = self.connection.recv()
        except (EOFError, OSError):
            assert self._process is not None
            self._process.join(END_SECONDS)  # it is going: its end of the connection is closed
            news = Failed(self.index, _death(self.end()))
        if not isinstance(news, Going):
            self.index = None
        return news

    def end(self) -> int | None:
        """End the process, if there is one; return its exit code."""
        if self._process is None:
            return None
        self._process.kill()
        self._process.join(END_SECONDS)
        self.connection.close()
        code, self._process = self._process.exitcode, None
        return code

    def _start(self) -> None:
        # A forked child would share torch's threads with its parent, which none of them survives.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._work), daemon=True)
        self._process.start()
        theirs.close()


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; was there enough memory?" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{hint}"
    return f"its process ended with exit code {code}"


def _serve(connection: Connection, work: Work[Task, Found]) -> None:
    """Carry out what comes until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children itself
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            index, task = connection.recv()
            connection.send(_attempt(index, task, work, connection.send))


def _attempt(
    index: int, task: Task, work: Work[Task, Found], tell: Callable[[Going], None]
) -> Done[Found] | Failed:
    """Carry out one task; an error must not lose the others."""
    try:
        return Done(index, work(task, lambda fraction: tell(Going(index, fraction))))
    except Exception as error:  # noqa: BLE001 - told instead of raised
        return Failed(index, reason(error))
