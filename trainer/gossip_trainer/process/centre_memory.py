"""What a server saves of its part now and then, and goes on from after everybody was lost."""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import torch
from torch import Tensor

from gossip_trainer.checkpoint.background import BackgroundSaver
from gossip_trainer.checkpoint.store import Checkpoint, CheckpointStore
from gossip_trainer.process.memory import SAVE_SECONDS
from gossip_trainer.process.remembering import open_shelf
from gossip_trainer.process.shard_keeper import Pin
from gossip_trainer.process.shell import Shell
from gossip_trainer.process.task import Task

log: Final = logging.getLogger(__name__)

PART: Final = "part"


class CentreMemory:
    """One server's checkpoints. The optimizer's state of a parameter server is not among them.

    Args:
        store: where they lie.
        saver: writes them beside the server's own thread.
        pin: holds a copy of the part; None before there is one.
        every: seconds between two.
        clock: seconds; only differences count.

    """

    def __init__(
        self,
        store: CheckpointStore,
        saver: BackgroundSaver,
        pin: Callable[[], Pin | None],
        *,
        every: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._saver = saver
        self._pin = pin
        self._every = every
        self._clock = clock
        self._due = clock() + every
        self._offset = 0  # of the versions; a new process counts from 0

    def recall(self, size: int, dtype: torch.dtype) -> Tensor | None:
        """Return the part that was saved last, shape (size,); None if there is none like it."""
        found = self._store.newest()
        if found is None:
            return None
        part = found.tensors.get(PART)
        if part is None or (part.shape, part.dtype) != ((size,), dtype):
            log.warning("what was saved as this server's part is another's, and not used")
            return None
        self._offset = found.step
        return part

    def look(self) -> None:
        """Save if it is time to."""
        if self._clock() >= self._due:
            self._due = self._clock() + self._every
            self._save()

    def save_last(self) -> None:
        """Save, and wait until it is done: the process is about to go."""
        self._saver.flush(SAVE_SECONDS / 2)
        self._save()
        self._saver.flush(SAVE_SECONDS / 2)

    def _save(self) -> None:
        pin = None if self._saver.busy else self._pin()
        if pin is None:
            return
        try:
            step, part = self._offset + pin.header.step, pin.vector.clone()
        finally:
            pin.release()
        self._saver.submit(Checkpoint(step, {PART: part}, {}))


def open_centre_memory(
    stack: ExitStack, shell: Shell, task: Task, pin: Callable[[], Pin | None]
) -> CentreMemory | None:
    """Return what this server saves, if it does; it saves once more when the stack is left."""
    shelf = open_shelf(stack, shell, task)
    if shelf is None:
        return None
    memory = CentreMemory(shelf.store, shelf.saver, pin, every=shelf.every)
    stack.callback(memory.save_last)
    return memory
