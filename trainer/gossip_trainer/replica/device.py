"""Between a model on its device and the host memory that others read: copies no step waits for.

A step boundary hands a copy over and goes on; a thread of the link sees it through beside the
computation and tells when it is there. What belongs to a kind of device is in `CopyStream` alone.
On the CPU there is nothing to cross: every copy is the one that was always made, at once.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Final, Protocol

import torch
from torch import Tensor

from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.errors import DeviceError

CLOSE_SECONDS: Final = 5.0

Then = Callable[[], None]
Mark = object
"""A point in what the computation was given to do."""


class DeviceLink(Protocol):
    """The way between the device of one model and host memory.

    `write_out` and `bring_out` are called by the training thread, which never waits in them;
    `bring_in` by threads that receive. `then` may run in any thread.
    """

    @property
    def busy(self) -> bool:
        """Whether a vector is being written out."""
        ...

    def write_out(self, x: Iterate, out: Tensor, then: Then) -> None:
        """Write x as it is now to `out`, in host memory, and call `then` when it is there.

        Not to be called while `busy`, which ends after `then`.
        """
        ...

    def bring_out(
        self, vectors: Sequence[Tensor], then: Callable[[tuple[Tensor, ...]], None]
    ) -> None:
        """Call `then` with `vectors`, which nobody changes any more, in host memory."""
        ...

    def bring_in(self, vector: Tensor) -> Tensor:
        """Return `vector`, of host memory, on the device, once it is there."""
        ...

    def host_vector(self, size: int, dtype: torch.dtype) -> Tensor:
        """Return zeros in host memory that copies are fast from and to, shape (size,)."""
        ...

    def close(self) -> None:
        """End; a copy that has begun is finished, no other is."""
        ...


class HostLink:
    """The link of a model in host memory: there is nothing to cross and nothing to wait for."""

    busy: Final = False

    def write_out(self, x: Iterate, out: Tensor, then: Then) -> None:
        """Write x to `out`, at once."""
        x.write_to_(out)
        then()

    def bring_out(
        self, vectors: Sequence[Tensor], then: Callable[[tuple[Tensor, ...]], None]
    ) -> None:
        """Call `then` with `vectors` themselves."""
        then(tuple(vectors))

    def bring_in(self, vector: Tensor) -> Tensor:
        """Return `vector` itself."""
        return vector

    def host_vector(self, size: int, dtype: torch.dtype) -> Tensor:
        """Return zeros, shape (size,)."""
        return torch.zeros(size, dtype=dtype)

    def close(self) -> None:
        """There is nothing to end."""


class CopyStream(Protocol):
    """A queue of copies of one device, beside its computation."""

    def mark(self) -> Mark:
        """Return the point up to which the computation has been given its work."""
        ...

    def copy_out_(self, out: Tensor, source: Tensor, after: Mark) -> None:
        """Copy `source` to host memory once the computation has passed `after`; wait for it."""
        ...

    def host_vector(self, size: int, dtype: torch.dtype) -> Tensor:
        """Return zeros in host memory that copies are fast from and to, shape (size,)."""
        ...

    def copy_in(self, vector: Tensor) -> Tensor:
        """Return a copy on the device that the computation may use; wait for it."""
        ...


class SideLink:
    """The link of a model on a device of its own.

    x is first copied on the device, in the computation's order and at the device's speed; the slow
    copy to the host is made from there. So x may change while it is under way.

    Args:
        stream: makes the copies.

    """

    def __init__(self, stream: CopyStream) -> None:
        self._stream = stream
        self._staging: Tensor | None = None  # x as it was, on the device
        self._failure: BaseException | None = None
        self._is_writing = False
        self._tasks: SimpleQueue[Then | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="device copies", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a vector is being written out."""
        self._raise_failure()
        return self._is_writing

    def write_out(self, x: Iterate, out: Tensor, then: Then) -> None:
        """Write x as it is now to `out`, and call `then` when it is there.

        Raises:
            DeviceError: an earlier copy failed.

        """
        assert not self.busy, "the copy before is still made from the same place"
        if self._staging is None:
            self._staging = torch.empty_like(x.live)
        x.write_to_(self._staging)
        self._is_writing = True
        self._tasks.put(
            partial(self._write, out, self._staging, after=self._stream.mark(), then=then)
        )

    def bring_out(
        self, vectors: Sequence[Tensor], then: Callable[[tuple[Tensor, ...]], None]
    ) -> None:
        """Call `then` with `vectors` in host memory.

        Raises:
            DeviceError: an earlier copy failed.

        """
        self._raise_failure()
        self._tasks.put(partial(self._bring, tuple(vectors), after=self._stream.mark(), then=then))

    def bring_in(self, vector: Tensor) -> Tensor:
        """Return `vector`, of host memory, on the device, once it is there."""
        try:
            return self._stream.copy_in(vector)
        except BaseException as error:
            self._failure = error  # the training thread is to hear of it, too
            raise

    def host_vector(self, size: int, dtype: torch.dtype) -> Tensor:
        """Return zeros in host memory, shape (size,)."""
        return self._stream.host_vector(size, dtype)

    def close(self) -> None:
        """End; a copy that has begun is finished."""
        self._tasks.put(None)
        self._thread.join(CLOSE_SECONDS)

    def _write(self, out: Tensor, source: Tensor, *, after: Mark, then: Then) -> None:
        self._stream.copy_out_(out, source, after)
        then()
        self._is_writing = False

    def _bring(
        self,
        vectors: tuple[Tensor, ...],
        *,
        after: Mark,
        then: Callable[[tuple[Tensor, ...]], None],
    ) -> None:
        brought = tuple(self.host_vector(vector.numel(), vector.dtype) for vector in vectors)
        for out, vector in zip(brought, vectors, strict=True):
            self._stream.copy_out_(out, vector, after)
        then(brought)

    def _serve(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - the training thread is to hear of it
                self._failure = error
                return

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise DeviceError(
                f"a copy between the device and host memory failed: {self._failure}"
            ) from self._failure
