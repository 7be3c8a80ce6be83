"""What the processes of one worker pass to each other: vectors between devices, batches to them.

Vectors go by NCCL between GPUs and by gloo between CPUs, batches from host memory to host memory.
Whoever is lost is an error for the others: of gloo because the connection breaks, of NCCL because
those who wait look after the others.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol, cast

import torch
from torch import Tensor
from torch.distributed import PrefixStore, Store, Work  # type: ignore[attr-defined]  # not exported there

from gossip_trainer.data.dataset import Batch
from gossip_trainer.errors import DeviceError
from gossip_trainer.training.gloo_group import open_gloo

HOST: Final = "127.0.0.1"
LEADER: Final = 0
POLL_SECONDS: Final = 0.0005
FAREWELL_SECONDS: Final = 1.0  # between a broken connection and why it broke


class Group(Protocol):
    """What torch's process groups have, and their stubs lack."""

    def broadcast(self, vector: Tensor, root: int) -> Work:
        """Begin to give everybody the root's vector."""
        ...

    def reduce(self, vector: Tensor, root: int) -> Work:
        """Begin to give the root the sum of all vectors."""
        ...

    def send(self, vectors: list[Tensor], to: int, tag: int) -> Work:
        """Begin to send one vector."""
        ...

    def recv(self, vectors: list[Tensor], source: int, tag: int) -> Work:
        """Begin to receive one vector."""
        ...

    def abort(self) -> None:
        """End, whatever is under way."""
        ...


class Fabric:
    """One process's end.

    Args:
        store: where the processes meet.
        position: of this one, 0 for the leader.
        size: how many there are.
        device: of this one.
        timeout: how long one operation may take.
        find_lost: says why it is in vain to wait, in words; empty as long as it is not.

    Raises:
        CollectiveError: not all came before the store's own deadline.

    """

    def __init__(
        self,
        store: Store,
        *,
        position: int,
        size: int,
        device: torch.device,
        timeout: timedelta,
        find_lost: Callable[[], str],
    ) -> None:
        self._timeout = timeout
        self._find_lost = find_lost
        gloo = open_gloo(store, "batches", host=HOST, position=position, size=size, timeout=timeout)
        self._batches = cast("Group", gloo)
        self._is_on_gpu = device.type == "cuda"
        self._vectors = (
            _open_nccl(store, position, size, timeout) if self._is_on_gpu else self._batches
        )

    def broadcast_(self, vector: Tensor) -> None:
        """Give everybody the leader's `vector`.

        Raises:
            DeviceError: somebody is lost; so of all operations.

        """
        self._see_through(lambda: self._vectors.broadcast(vector, LEADER))

    def sum_(self, vector: Tensor) -> None:
        """Give the leader the sum of all vectors; the others' hold nothing of use afterwards."""
        self._see_through(lambda: self._vectors.reduce(vector, LEADER))

    def give(self, batch: Batch, to: int) -> None:
        """Give a batch to a follower, which must take one of the same shapes."""
        self._pass(lambda each: self._batches.send([each.cpu().contiguous()], to, 0), batch)

    def take_(self, batch: Batch) -> None:
        """Fill `batch`, in host memory, with what the leader gives."""
        self._pass(lambda each: self._batches.recv([each], LEADER, 0), batch)

    def close(self) -> None:
        """End, before the store does: until then a thread of NCCL's keeps asking it."""
        if self._is_on_gpu:
            self._vectors.abort()

    def _pass(self, begin: Callable[[Tensor], Work], batch: Batch) -> None:
        for each in batch:
            try:
                begin(each).wait()
            except RuntimeError as error:
                raise self._lost(error) from error

    def _see_through(self, begin: Callable[[], Work]) -> None:
        """Carry out an operation on vectors."""
        try:
            work = begin()
            if self._is_on_gpu:
                look_after(work, self._timeout, self._find_lost)
            work.wait()
        except RuntimeError as error:
            raise self._lost(error) from error

    def _lost(self, error: RuntimeError) -> DeviceError:
        deadline = time.monotonic() + FAREWELL_SECONDS
        while not (lost := self._find_lost()) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return DeviceError(lost or str(error).splitlines()[0])


def look_after(work: Work, timeout: timedelta, find_lost: Callable[[], str]) -> None:
    """Return when `work` is done; of NCCL's nothing else tells when the others are lost.

    Raises:
        DeviceError: somebody is lost, or the time is over.

    """
    deadline = time.monotonic() + timeout.total_seconds()
    while not work.is_completed():
        if lost := find_lost():
            raise DeviceError(lost)
        if time.monotonic() > deadline:
            raise DeviceError(f"a device was not done within {timeout}")
        time.sleep(POLL_SECONDS)


def _open_nccl(store: Store, position: int, size: int, timeout: timedelta) -> Group:
    from torch.distributed import ProcessGroupNCCL  # noqa: PLC0415 - CUDA's builds alone have it

    options = ProcessGroupNCCL.Options()
    options._timeout = timeout  # noqa: SLF001 - no other way
    group = ProcessGroupNCCL(PrefixStore("vectors", store), position, size, options)
    return cast("Group", group)
