"""One generation's all-reduce: a gloo process group of its own, dropped when a member is lost.

The groups do not go through torch.distributed's global registry: one that hangs must not stand in
the way of the next.
"""

import threading
from collections.abc import Callable
from datetime import timedelta

from torch import Tensor
from torch.distributed import (  # type: ignore[attr-defined]  # conditional there
    PrefixStore,
    ProcessGroupGloo,
    Store,
    TCPStore,
    Work,
)

from gossip_trainer.errors import CollectiveError

SLICE = timedelta(seconds=0.2)  # how often one that waits looks whether all are still there
THREADS = 2  # the vector's all-reduce and the counts' run together


class GlooGroup:
    """The members of one generation.

    Args:
        store: where they meet.
        key: tells this group from every other that meets there.
        host: the own address, whose interface is used.
        position: the own place among the members.
        size: how many there are.
        timeout: the longest a collective may take.

    Raises:
        CollectiveError: not all came before the store's own deadline.

    """

    def __init__(
        self, store: Store, key: str, *, host: str, position: int, size: int, timeout: timedelta
    ) -> None:
        self._size = size
        self._works: list[Work] = []
        self._group = open_gloo(
            store, key, host=host, position=position, size=size, timeout=timeout
        )

    def begin(self, *vectors: Tensor) -> None:
        """Begin to replace each of `vectors` by its sum over the members, all together."""
        self._works = [
            self._group.allreduce([vector])  # type: ignore[attr-defined]  # not in its stub
            for vector in vectors
        ]

    def finish(self, find_lost: Callable[[float], str]) -> None:
        """Return when all sums are there.

        Args:
            find_lost: given for how many seconds this one has waited, says what is lost; empty as
                long as nothing is.

        Raises:
            CollectiveError: a member was lost or the deadline passed.

        """
        waited = 0.0
        for work in self._works:
            while not _is_done(work):
                waited += SLICE.total_seconds()
                if lost := find_lost(waited):
                    raise CollectiveError(f"{lost} while {self._size} workers averaged")

    def drop(self) -> None:
        """Let go of it; what hangs in it ends by its own deadline, in a thread nobody waits for."""
        # The group's end waits for its operations, so that must not be here.
        held = [self._works, self._group]
        self._works = []
        del self._group
        threading.Thread(target=_end, args=(held,), name="end of a group", daemon=True).start()


def open_gloo(
    store: Store, key: str, *, host: str, position: int, size: int, timeout: timedelta
) -> ProcessGroupGloo:
    """Return one member's end of a process group; the arguments are those of `GlooGroup`.

    Raises:
        CollectiveError: not all came before the store's own deadline.

    """
    options = ProcessGroupGloo._Options()  # type: ignore[attr-defined] # noqa: SLF001 - no other way
    options._devices = [ProcessGroupGloo.create_device(hostname=host)]  # noqa: SLF001
    options._timeout = timeout  # noqa: SLF001
    options._threads = THREADS  # noqa: SLF001
    try:
        return ProcessGroupGloo(PrefixStore(key, store), position, size, options)
    except RuntimeError as error:
        raise CollectiveError(f"not all {size} members came: {_first(error)}") from error


def host_store(host: str, port: int, timeout: timedelta) -> TCPStore:
    """Host a store that workers meet at; port 0 lets the system choose."""
    return TCPStore(host, port, is_master=True, wait_for_workers=False, timeout=timeout)


def open_store(address: tuple[str, int], timeout: timedelta) -> TCPStore:
    """Connect to the store at `address`; CollectiveError if it is not there."""
    try:
        return TCPStore(*address, is_master=False, wait_for_workers=False, timeout=timeout)
    except RuntimeError as error:
        raise CollectiveError(f"no way to the store at {address}: {_first(error)}") from error


def _is_done(work: Work) -> bool:
    """Wait a little; tell whether it has ended well."""
    try:
        work.wait(SLICE)
    except RuntimeError as error:
        if work.is_completed():
            raise CollectiveError(f"an all-reduce failed: {_first(error)}") from error
        return False
    return True


def _end(held: list[object]) -> None:
    held.clear()


def _first(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].split(". ")[0]
