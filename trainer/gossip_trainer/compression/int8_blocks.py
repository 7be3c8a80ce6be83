"""Whole numbers of -127 to 127 times a scale for every block: about a quarter of the bytes.

The scale is the block's greatest magnitude over 127, so that a value is off by at most half a
scale: 1/254 of that magnitude. Rounding is to nearest, for the error is not lost: these are
differences, and what one leaves out the next contains.

Encoded: the scales in float32, then a byte for every value.
"""

from typing import Final

import torch
from torch import Tensor

BLOCK: Final = 128  # values that share a scale
LEVELS: Final = 127
_SCALE_BYTES: Final = 4
_SMALLEST: Final = torch.finfo(torch.float32).tiny  # a scale that one may divide by
_ROWS: Final = 512  # blocks at once: they stay in the second-level cache


def num_bytes(size: int) -> int:
    """Return how many bytes a vector of `size` values takes."""
    return size + _SCALE_BYTES * -(-size // BLOCK)


def to_int8_blocks(vector: Tensor) -> Tensor:
    """Encode a vector, shape (n,); return shape (num_bytes(n),), on the same device.

    A block with a value that is not finite comes back without one that is.
    """
    size = vector.numel()
    num_scales = -(-size // BLOCK)
    encoded = torch.empty(num_bytes(size), dtype=torch.uint8, device=vector.device)
    scales = encoded[: _SCALE_BYTES * num_scales].view(torch.float32)
    codes = encoded[_SCALE_BYTES * num_scales :].view(torch.int8)
    whole = size // BLOCK
    rows, coded = vector[: whole * BLOCK].view(whole, BLOCK), codes[: whole * BLOCK]
    # A GPU reads its memory at full speed anyway and would wait for every launch.
    num_rows = _ROWS if vector.device.type == "cpu" else max(whole, 1)
    for start in range(0, whole, num_rows):
        end = min(start + num_rows, whole)
        _encode(rows[start:end], scales[start:end], coded.view(whole, BLOCK)[start:end])
    if whole < num_scales:
        rest = slice(whole * BLOCK, size)
        _encode(vector[rest].view(1, -1), scales[whole:], codes[rest].view(1, -1))
    return encoded


def from_int8_blocks(encoded: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the values of encoded bytes as a vector of `dtype`, shape (n,)."""
    num_scales = -(-encoded.numel() // (BLOCK + _SCALE_BYTES))
    scales = encoded[: _SCALE_BYTES * num_scales].view(torch.float32).to(dtype)
    codes = encoded[_SCALE_BYTES * num_scales :].view(torch.int8)
    values = codes.to(dtype)
    whole = codes.numel() // BLOCK
    values[: whole * BLOCK].view(whole, BLOCK).mul_(scales[:whole].unsqueeze(1))
    values[whole * BLOCK :].mul_(scales[whole:])
    return values


def _encode(rows: Tensor, scales: Tensor, codes: Tensor) -> None:
    scales.copy_(rows.abs().amax(dim=1).div_(LEVELS)).clamp_min_(_SMALLEST)
    codes.copy_(rows.div(scales.to(rows.dtype).unsqueeze(1)).round_().clamp_(-LEVELS, LEVELS))
