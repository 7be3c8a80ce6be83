"""Means over all workers of a group, and what they agree on in the same operation.

Merged counters, stop records, signals and the wishes of those who want to join reach workers at
different steps. A strategy that meets at every step must not decide from them alone, or some stop
at step k while the others hang in k + 1. So the samples of the step and the wishes to stop and to
form a new group travel in the collective, and all decide from its result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from torch import Tensor

    from gossip_trainer.training.ending import Wishes
    from gossip_trainer.training.full_state import FullState


@dataclass(frozen=True, slots=True)
class Agreement:
    """What all workers know after one collective, each the same."""

    samples: int  # of all workers in this step
    stop: bool  # at least one worker wishes to end the job after this step
    reform: bool = False  # at least one leaves or wants in: a new group is formed after this step
    save: bool = False  # at least one wants all to save their states after this step


class Collective(Protocol):
    """Averages one vector at a time over all workers of the group.

    Attributes:
        size: how many workers meet.

    """

    size: int

    def form(self, state: FullState, is_over: Callable[[], bool]) -> Generator[float, None, bool]:
        """Meet a new group, all of which go on from the state of the most advanced.

        Yields how many seconds at most to wait for news. Returns False if `is_over` says that
        waiting is in vain.

        Raises:
            CollectiveError: there is nobody to copy a state from, and none to begin with.

        """
        ...

    def begin(self, vector: Tensor, *, samples: int, wishes: Wishes) -> None:
        """Begin to replace `vector` by its mean, with the own samples and wishes."""
        ...

    def is_ready(self) -> bool:
        """Tell whether `finish` may be called; it may be then what waits."""
        ...

    def finish(self) -> Agreement:
        """Return when the vector holds the mean.

        Raises:
            CollectiveError: a member was lost or the deadline passed. The vector may be written to
                until much later; who goes on needs another, and a new group.

        """
        ...

    def leave(self) -> None:
        """Meet nobody any more."""
        ...

    def received_bytes(self, num_bytes: int) -> int:
        """Return how many bytes a mean over a vector of `num_bytes` brings every worker."""
        ...


def ring_bytes(num_bytes: float, workers: int) -> float:
    """Return what every worker sends, and receives, in one all-reduce over a ring.

    Reference: Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
    workstations", 2009.
    """
    return 2 * (workers - 1) / workers * num_bytes
