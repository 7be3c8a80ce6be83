"""Stochastic rounding to bfloat16: half the bytes, and right on average.

A float32 value lies between two bfloat16 neighbours, which share its upper 16 bits but for the last
place. Adding a uniform 16-bit number to its bits and cutting the lower half off yields the upper
neighbour with just the probability that makes the mean the value itself. Rounding to nearest would
not: a model that moves by less than half a place would be seen standing still by everybody.

Noise follows from a seed alone, so whoever has seed and value gets the same rounding.

Reference: Gupta, Agrawal, Gopalakrishnan, Narayanan, "Deep learning with limited numerical
precision", 2015 (arXiv:1502.02551).
"""

from typing import Any, Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NUM_BYTES: Final = 2  # of a value
_NOT_A_NUMBER: Final = 0x7FC0
_BLOCK: Final = 1 << 16  # values; a block and its noise stay in the second-level cache

Values: TypeAlias = NDArray[np.floating[Any]]
Bytes: TypeAlias = NDArray[np.uint8]


def to_bfloat16(vector: Tensor, seed: int) -> Tensor:
    """Round a vector, shape (n,); return the bytes, shape (2 n,), on the same device.

    Noise and rounding are the host's, so that they are the same whatever the device. Infinities
    stay, what is not a number stays so, and what lies above the greatest bfloat16 may become
    infinite. float64 is rounded to float32 first.
    """
    values = vector.detach().contiguous().cpu().numpy()
    return torch.from_numpy(round_values(values, seed)).to(vector.device)


def round_values(values: Values, seed: int) -> Bytes:
    """Round as `to_bfloat16` does."""
    values = values.astype(np.float32, copy=False)
    size = values.size
    rounded = np.empty(size, np.uint16)
    noise = np.random.SFC64(seed).random_raw(-(-size // 4)).view(np.uint16)
    scratch = np.empty(min(size, _BLOCK), np.uint32)
    for start in range(0, size, _BLOCK):
        end = min(start + _BLOCK, size)
        block, upper = values[start:end], scratch[: end - start]
        np.add(block.view(np.uint32), noise[start:end], out=upper)
        np.right_shift(upper, 16, out=upper)
        rounded[start:end] = upper
        if (not_numbers := np.isnan(block)).any():  # noise may carry into their sign
            rounded[start:end][not_numbers] = _NOT_A_NUMBER
    return rounded.view(np.uint8)


def from_bfloat16(encoded: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the values of rounded bytes, shape (2 n,), as a vector of `dtype`, shape (n,)."""
    return encoded.view(torch.bfloat16).to(dtype)
