"""What a server saves of its part now and then, and goes on from after everybody was lost."""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Final, Protocol

import torch
from torch import Tensor

from gossip_api.names import Role
from gossip_trainer.checkpoint.background import BackgroundSaver
from gossip_trainer.checkpoint.store import Checkpoint, CheckpointStore
from gossip_trainer.observability.events import Saved, Unsaved
from gossip_trainer.process.remembering import member_folder
from gossip_trainer.process.shell import Shell
from gossip_trainer.process.task import Task
from gossip_trainer.transport.wire import SnapshotHeader

log: Final = logging.getLogger(__name__)

PART: Final = "part"
SAVE_SECONDS: Final = 20.0  # of the grace period of 30 that Kubernetes gives


class Pin(Protocol):
    """A hold on a copy of the part; its header's step is the part's version."""

    @property
    def header(self) -> SnapshotHeader:
        """What is said about it."""
        ...

    @property
    def vector(self) -> Tensor:
        """The copy."""
        ...

    def release(self) -> None:
        """Let go."""
        ...


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
    root, settings = shell.environment.checkpoints, task.job.spec.checkpoint
    if root is None or settings is None or not settings.is_written_by(Role.SERVER):
        return None
    place = member_folder(Role.SERVER, shell.environment.rank)
    store = CheckpointStore(root, place, settings.keep)
    saver = BackgroundSaver(
        store,
        on_saved=lambda seconds, where: shell.events.emit(Saved(where=where, seconds=seconds)),
        on_failed=lambda error: shell.events.emit(Unsaved(reason=" ".join(str(error).split()))),
    )
    stack.enter_context(closing(saver))
    memory = CentreMemory(store, saver, pin, every=settings.every.total_seconds())
    stack.callback(memory.save_last)
    return memory
