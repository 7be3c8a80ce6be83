"""Means over all workers, and what the workers agree on in the same operation.

Merged counters and stop records reach workers at different steps. A strategy that meets at every
step must not decide from them alone, or some stop at step k while the others hang in k + 1. So the
samples of the step and the wish to stop travel in the collective, and all decide from its result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import Store, TCPStore  # type: ignore[attr-defined]  # conditional there

from gossip_trainer.errors import CollectiveError

__all__ = ["Agreement", "Collective", "TCPStore", "TorchCollective", "host_store", "open_store"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What all workers know after one collective, each the same."""

    samples: int  # of all workers in this step
    stop: bool  # at least one worker wishes to end after this step


class Collective(Protocol):
    """Averages one vector at a time over all workers of the job.

    Attributes:
        size: how many workers meet.

    """

    size: int

    def begin(self, vector: Tensor, *, samples: int, stop: bool) -> None:
        """Begin to replace `vector` by its mean, with the own samples and wish to stop."""
        ...

    def is_ready(self) -> bool:
        """Tell whether `finish` may be called; it may be then what waits."""
        ...

    def finish(self) -> Agreement:
        """Return when the vector holds the mean.

        Raises:
            CollectiveError: a member was lost or the deadline passed.

        """
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


class TorchCollective:
    """torch.distributed's all-reduce: gloo on CPU, NCCL on GPU.

    Args:
        store: where the workers meet, host and port; the lowest rank hosts it.
        ranks: all members, ascending.
        rank: the own one.
        backend: torch.distributed's, such as "gloo".
        timeout: the longest a collective may take, and the meeting at the start.

    """

    def __init__(
        self,
        store: Store,
        *,
        ranks: Sequence[int],
        rank: int,
        backend: str,
        timeout: timedelta,
    ) -> None:
        self.size = len(ranks)
        self._control = torch.zeros(2, dtype=torch.int64)
        self._vector: Tensor | None = None
        self._works: list[dist.Work] = []
        try:
            dist.init_process_group(
                backend, store=store, rank=ranks.index(rank), world_size=len(ranks), timeout=timeout
            )
        except RuntimeError as error:
            raise CollectiveError(f"worker {rank} could not meet the others: {error}") from error

    def begin(self, vector: Tensor, *, samples: int, stop: bool) -> None:
        """Start both all-reduces, the vector's and the counts', so that they run together."""
        self._control[0] = samples
        self._control[1] = int(stop)
        self._vector = vector
        works = (dist.all_reduce(t, async_op=True) for t in (vector, self._control))
        self._works = [work for work in works if work is not None]

    def is_ready(self) -> bool:
        """Tell that `finish` may be called: it waits in the library."""
        return True

    def finish(self) -> Agreement:
        """Finish both."""
        assert self._vector is not None
        try:
            for work in self._works:
                work.wait()
        except RuntimeError as error:
            raise CollectiveError(
                f"an all-reduce over {self.size} workers failed: a worker was lost or is "
                f"stopped; all-reduce needs all of them ({_first_sentence(error)})"
            ) from error
        self._vector.div_(self.size)
        return Agreement(int(self._control[0]), bool(self._control[1]))

    def received_bytes(self, num_bytes: int) -> int:
        """Return what a ring brings every worker."""
        return round(ring_bytes(num_bytes, self.size))

    def close(self) -> None:
        """Leave the group."""
        dist.destroy_process_group()


def host_store(host: str, timeout: timedelta) -> TCPStore:
    """Host the store that the workers meet at, on a free port."""
    return TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=timeout)


def open_store(address: tuple[str, int], timeout: timedelta) -> TCPStore:
    """Connect to the store at `address`."""
    return TCPStore(*address, is_master=False, wait_for_workers=False, timeout=timeout)


def _first_sentence(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].split(". ")[0]
