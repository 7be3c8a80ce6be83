"""The operator's tasks: all of them run for ever, and if one ends, so does the operator."""

from __future__ import annotations

import asyncio
import logging
import weakref
from typing import TYPE_CHECKING, Any

from gossip_operator.shell.errors import TaskEndedError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

log = logging.getLogger(__name__)

DISMISS_SECONDS = 5.0


class Crew:
    """Starts tasks, watches over them and ends them.

    Attributes:
        everyone: all tasks of ours, those under way at the start included. kopf takes any other
            task for its own and cancels it when it stops.

    """

    def __init__(self) -> None:
        self.everyone = weakref.WeakSet(asyncio.all_tasks())
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that should run until it is dismissed."""
        task = asyncio.create_task(work, name=name)
        self.everyone.add(task)
        self._tasks[name] = task
        return task

    async def first(self, *waits: Coroutine[Any, Any, object]) -> int:
        """Return which of `waits` ended first, and cancel the others.

        Raises its error, or the error of a task that ended meanwhile, or TaskEndedError.
        """
        waiting = [asyncio.create_task(wait, name="wait") for wait in waits]
        self.everyone.update(waiting)
        try:
            await asyncio.wait([*waiting, *self._tasks.values()], return_when="FIRST_COMPLETED")
            for name, task in self._tasks.items():
                if task.done():
                    raise _why_ended(name, task)
            ended = next(wait for wait in waiting if wait.done())
            await ended
            return waiting.index(ended)
        finally:
            for wait in waiting:
                wait.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def finish(self, names: Iterable[str], seconds: float) -> None:
        """Let tasks that were told to end come to their end, for so long."""
        tasks = {self._tasks.pop(name) for name in names}
        if not tasks:
            return
        done, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            log.warning("%s was cut off after %.0f s", task.get_name(), seconds)
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=DISMISS_SECONDS)
        for task in done:
            if (error := task.exception()) is not None:
                log.error("%s ended with an error: %s", task.get_name(), error)

    async def dismiss(self) -> None:
        """Cancel what still runs and wait for it."""
        tasks = set(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=DISMISS_SECONDS)


def _why_ended(name: str, task: asyncio.Task[None]) -> BaseException:
    error = None if task.cancelled() else task.exception()
    return error if error is not None else TaskEndedError(f"the task {name} came to an end")
