"""The bytes of a CPU vector, shared and not copied."""

from typing import cast

from torch import Tensor


def memory_of(vector: Tensor) -> memoryview:
    """Return the bytes of a contiguous CPU vector; writing to them writes to the vector."""
    # numpy's arrays offer the buffer protocol, but their stubs do not say so on Python 3.11.
    memory = memoryview(cast("bytearray", vector.detach().numpy()))
    return memory.cast("B") if memory.nbytes else memoryview(b"")  # there is no cast of nothing


def bytes_of(vector: Tensor) -> memoryview:
    """Return the bytes of a contiguous vector, read-only; of one on a device those of a copy."""
    return memory_of(vector.detach().cpu()).toreadonly()
