"""Saves checkpoints beside the training thread, one at a time."""

import threading
import time
from collections.abc import Callable
from typing import Final

from gossip_trainer.checkpoint.store import Checkpoint, CheckpointStore
from gossip_trainer.errors import CheckpointError

CLOSE_SECONDS: Final = 5.0  # who wants to wait longer flushes first; a pod has 30 s to end


class BackgroundSaver:
    """A thread that saves what it is given.

    Args:
        store: where to.
        on_saved: told the seconds that a save took and where the checkpoint lies.
        on_failed: told why one was not saved. Both are called by the thread.
        clock: seconds; only differences count.

    """

    def __init__(
        self,
        store: CheckpointStore,
        *,
        on_saved: Callable[[float, str], None],
        on_failed: Callable[[Exception], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._on_saved = on_saved
        self._on_failed = on_failed
        self._clock = clock
        self._changed = threading.Condition()
        self._pending: Checkpoint | None = None
        self._closed = False
        # A daemon: a storage that hangs does not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether one is under way, so that another would not be taken."""
        with self._changed:
            return self._pending is not None

    def submit(self, checkpoint: Checkpoint) -> bool:
        """Take a checkpoint, whose tensors nobody writes to any more; False while one is under way.

        Raises:
            CheckpointError: the saver is closed, or its thread met an error of its own.

        """
        with self._changed:
            if self._closed:
                raise CheckpointError(f"step {checkpoint.step}: the saver has ended")
            if self._pending is not None:
                return False
            self._pending = checkpoint
            self._changed.notify_all()
            return True

    def flush(self, timeout: float) -> bool:
        """Wait for the one that is under way; False if it still is after so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending is None, timeout)

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Finish the one that is under way and end; it has failed if that takes too long."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            late = None
            if not self._changed.wait_for(lambda: self._pending is None, timeout):
                late = self._pending
        if late is not None:
            self._on_failed(
                CheckpointError(f"step {late.step}: was still being saved after {timeout:g} s")
            )
            return
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._save_all()
        finally:
            with self._changed:
                self._closed, self._pending = True, None
                self._changed.notify_all()

    def _save_all(self) -> None:
        while (checkpoint := self._next()) is not None:
            began = self._clock()
            try:
                where = self._store.save(checkpoint)
            except Exception as error:  # noqa: BLE001 - told; the next one may go well
                self._on_failed(error)
            else:
                self._on_saved(self._clock() - began, where)
            with self._changed:
                self._pending = None
                self._changed.notify_all()

    def _next(self) -> Checkpoint | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pending is not None or self._closed)
            return self._pending
