"""What virtual processes save now and then, and go on from after all of them were lost.

It is what gossip_trainer.process.memory and gossip_trainer.process.centre_memory save of real ones,
but kept in memory and saved in no time. In virtual time everybody knows everything at once, so the
job's counts are those of the newest save.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from gossip_trainer.simulation.clock import Clock
    from gossip_trainer.simulation.standing import Counts, Standing
    from gossip_trainer.simulation.world import Parts
    from gossip_trainer.training.boundary import StepBoundary


@dataclass(frozen=True, slots=True)
class Saved:
    """One worker between two steps.

    Attributes:
        worker: model, optimizer, moving average, the algorithm's state, counts.
        position: where it is in its data.
        scale: of its losses; None where they have none.
        incarnation: whose stream its step times come from.
        drawn: how many of them it has used.

    """

    worker: dict[str, Any]
    position: dict[str, Any]
    scale: dict[str, float] | None
    incarnation: int
    drawn: int

    @classmethod
    def of(cls, boundary: StepBoundary, parts: Parts) -> Saved:
        """Copy what a worker consists of."""
        scale, seconds = parts.compute_gradient.scale, parts.step_seconds
        return cls(
            worker=copy.deepcopy(boundary.state.save()),
            position=parts.batches.state(),
            scale=None if scale is None else scale.state_dict(),
            incarnation=seconds.incarnation,
            drawn=seconds.drawn,
        )

    def load_into(self, boundary: StepBoundary, parts: Parts) -> None:
        """Let a new worker go on from here; its batches and step times were begun here already."""
        # Copied, because an optimizer trains on in the tensors it is given.
        boundary.state.load(copy.deepcopy(self.worker))
        if parts.compute_gradient.scale is not None and self.scale is not None:
            parts.compute_gradient.scale.load_state_dict(self.scale)


class Checkpoints:
    """What all processes of one simulation saved last.

    Args:
        every: seconds between two saves of a process.
        clock: virtual time.
        standing: of the job.

    """

    def __init__(self, every: float, clock: Clock, standing: Standing) -> None:
        self._every = every
        self._clock = clock
        self._standing = standing
        self._first: dict[int, Saved] = {}
        self._saved: dict[int, Saved] = {}
        self._parts: dict[int, Tensor] = {}
        self._note_job()

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self._clock.now

    @property
    def next_due(self) -> float:
        """When a process that begins or saves now is to save next."""
        return self._clock.now + self._every

    def begin(self, rank: int, first: Saved) -> None:
        """Keep what a worker begins with: all go back to that as long as nobody has saved."""
        self._first[rank] = first

    def save(self, rank: int, saved: Saved) -> None:
        """Keep a worker's state in place of the one before."""
        self._saved.pop(rank, None)
        self._saved[rank] = saved
        self._note_job()

    def save_part(self, shard: int, centre: Tensor) -> None:
        """Keep a server's part of the centre."""
        self._parts[shard] = centre

    def workers(self) -> dict[int, Saved]:
        """Return what each worker saved last, by rank, in the order in which they saved.

        Where all wait for all they train on in that order, in which their vectors are added up. One
        that is missing has not saved anything, though others have.
        """
        return self._saved or self._first

    def part(self, shard: int) -> Tensor | None:
        """Return a server's part; None if it saved none."""
        return self._parts.get(shard)

    def restore_job(self) -> None:
        """Let the job's counts and the random stream of all go on from the newest save."""
        self._standing.go_on_from(self._counts, self._clock.now)
        torch.set_rng_state(self._random)

    def _note_job(self) -> None:
        self._counts: Counts = self._standing.counts(self._clock.now)
        self._random = torch.get_rng_state()


class WorkerMemory:
    """Saves one worker's state after a step, as gossip_trainer.process.memory does.

    Args:
        checkpoints: keep it.
        boundary: of the worker.
        parts: of the worker.

    """

    def __init__(self, checkpoints: Checkpoints, boundary: StepBoundary, parts: Parts) -> None:
        self._checkpoints = checkpoints
        self._boundary = boundary
        self._parts = parts
        self._due = checkpoints.next_due

    def begin(self) -> None:
        """Keep what the job begins with."""
        self._checkpoints.begin(self._parts.endpoint.rank, Saved.of(self._boundary, self._parts))

    def after_step(self) -> None:
        """Save if it is time to."""
        checkpoints = self._checkpoints
        if self._boundary.save_if_due(self._save, is_due=checkpoints.now >= self._due):
            self._due = checkpoints.next_due

    def _save(self) -> bool:
        saved = Saved.of(self._boundary, self._parts)
        self._checkpoints.save(self._parts.endpoint.rank, saved)
        return True
