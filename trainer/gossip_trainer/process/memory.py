"""What a worker saves of itself now and then, and goes on from after everybody was lost."""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, Protocol

import torch

from gossip_trainer.checkpoint.background import BackgroundSaver
from gossip_trainer.checkpoint.store import Checkpoint, CheckpointStore
from gossip_trainer.checkpoint.tree import join, split
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.training.boundary import StepBoundary

SAVE_SECONDS: Final = 20.0  # of the grace period of 30 that Kubernetes gives


class Stateful(Protocol):
    """Something of the user's that is saved along."""

    def state_dict(self) -> dict[str, Any]:
        """Return what it consists of."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> object:
        """Go on from there."""
        ...


class Memory:
    """One worker's checkpoints.

    Args:
        store: where they lie.
        others: where those of other workers lie, or of some of them.
        saver: writes them beside the training thread.
        every: seconds between two.
        clock: seconds; only differences count.

    Attributes:
        position: tells where in its data the worker is.
        registered: what else is saved, by name.

    """

    def __init__(
        self,
        store: CheckpointStore,
        saver: BackgroundSaver,
        *,
        others: Iterable[CheckpointStore],
        every: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._others = others
        self._saver = saver
        self._every = every
        self._clock = clock
        self._due = clock() + every
        self.position: Callable[[], Any] = lambda: None
        self.registered: dict[str, Stateful] = {}

    def recall(self) -> dict[str, Any] | None:
        """Return the newest state that was saved here whole; None if there is none."""
        found = self._store.newest()
        return None if found is None else join(found.tensors, found.facts["state"])

    def is_job_known(self) -> bool:
        """Tell whether anybody has saved anything: then somebody has trained."""
        return any(not store.is_empty() for store in (self._store, *self._others))

    def after_step(self, boundary: StepBoundary, progress: JobProgress) -> None:
        """Save if it is time to."""
        save = partial(self.save_now, boundary, progress)
        if boundary.save_if_due(save, is_due=self._clock() >= self._due):
            self._due = self._clock() + self._every

    def save_last(self, boundary: StepBoundary, progress: JobProgress) -> None:
        """Save, and wait until it is done: the process is about to go."""
        self._saver.flush(SAVE_SECONDS / 2)
        if self.save_now(boundary, progress):
            self._saver.flush(SAVE_SECONDS / 2)

    def save_now(self, boundary: StepBoundary, progress: JobProgress) -> bool:
        """Hand over a copy of everything; False while the one before is still being written."""
        if self._saver.busy:
            return False
        tensors, state = split(
            {
                "worker": boundary.state.save(),
                "rows": [list(row) for row in progress.rows()],
                "random": random_states(),
                "position": self.position(),
                "registered": {n: each.state_dict() for n, each in self.registered.items()},
            }
        )
        copies = {name: tensor.to("cpu", copy=True) for name, tensor in tensors.items()}
        step = boundary.counters.steps
        return self._saver.submit(Checkpoint(step, copies, {"state": state}))


def random_states() -> dict[str, Any]:
    """Return where Python's and torch's global streams of random numbers are."""
    return {
        "python": random.getstate(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random(states: Mapping[str, Any]) -> None:
    """Let the streams go on from there; those of devices only where there are as many."""
    random.setstate(states["python"])
    torch.set_rng_state(states["torch"])
    if len(states["cuda"]) == torch.cuda.device_count() > 0:
        torch.cuda.set_rng_state_all(states["cuda"])
