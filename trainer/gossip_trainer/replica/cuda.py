"""Copies beside the computation of one GPU, on a stream of their own.

Reference: "CUDA semantics" in PyTorch's documentation, on streams, pinned memory and the caching
allocator.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class CudaCopyStream:
    """A `CopyStream` of one GPU.

    Args:
        device: the GPU; its computation is on its default stream.

    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._computation = torch.cuda.default_stream(device)
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def mark(self) -> torch.cuda.Event:
        """Return an event that the computation passes after all it has been given so far."""
        event: torch.cuda.Event = self._computation.record_event()
        return event

    def copy_out_(self, out: Tensor, source: Tensor, after: object) -> None:
        """Copy `source` to host memory once the computation has passed `after`; wait for it."""
        assert isinstance(after, torch.cuda.Event)
        with self._beside():
            self._stream.wait_event(after)
            out.copy_(source, non_blocking=True)

    def host_vector(self, size: int, dtype: torch.dtype) -> Tensor:
        """Return zeros in pinned memory: from any other a copy goes through the driver's first."""
        return torch.zeros(size, dtype=dtype, pin_memory=True)

    def copy_in(self, vector: Tensor) -> Tensor:
        """Return a copy on the GPU that the computation may use; wait for it."""
        # The memory comes from the side stream's pool: that of the computation might be of a
        # tensor just freed, which its kernels still read.
        with self._beside():
            copy = vector.to(self._device, non_blocking=True)
            copy.record_stream(self._computation)
        return copy

    @contextmanager
    def _beside(self) -> Iterator[None]:
        """Give what the body begins to the side stream, and wait until it is done."""
        # A thread begins on the first GPU. The stream's own context would go back to that and make
        # it hold memory of every process; the device's goes back without touching it.
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            yield
            # One that sleeps: the default event's wait keeps a core busy.
            done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            self._stream.record_event(done)
            done.synchronize()
