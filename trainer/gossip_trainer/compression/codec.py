"""How the vectors of messages are written and read; both ends have the same codec."""

from typing import Final, Protocol

import torch
from torch import Tensor

from gossip_api.compression import Compression
from gossip_trainer.compression import bfloat16, int8_blocks
from gossip_trainer.seeding import derive_seed


class Codec(Protocol):
    """Writes vectors as bytes, as many as their size says, and reads them."""

    def encode(self, vector: Tensor) -> Tensor:
        """Return a vector as it travels, which nobody changes any more."""
        ...

    def decode(self, encoded: Tensor, dtype: torch.dtype) -> Tensor:
        """Return what has travelled as a vector of `dtype`; it may be the same memory."""
        ...


class Plain:
    """Vectors travel as they are."""

    def encode(self, vector: Tensor) -> Tensor:
        """Return the vector itself."""
        return vector

    def decode(self, encoded: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the vector itself."""
        assert encoded.dtype == dtype
        return encoded


PLAIN: Final[Codec] = Plain()


class BFloat16:
    """Rounds by chance; every vector with noise of its own.

    Args:
        seed: of the noise; what has the same seed rounds the same vectors in order alike.

    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0

    def encode(self, vector: Tensor) -> Tensor:
        """Return the bytes, shape (2 n,)."""
        self._count += 1
        return bfloat16.to_bfloat16(vector, derive_seed(self._seed, self._count))

    def decode(self, encoded: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the rounded vector."""
        return bfloat16.from_bfloat16(encoded, dtype)


class Int8:
    """Whole numbers with a scale for every block; for differences."""

    def encode(self, vector: Tensor) -> Tensor:
        """Return the bytes, shape (num_bytes(n),)."""
        return int8_blocks.to_int8_blocks(vector)

    def decode(self, encoded: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the nearest that can be said of the vector."""
        return int8_blocks.from_int8_blocks(encoded, dtype)


def codec_of(compression: Compression | None, seed: int) -> Codec:
    """Return the codec of a job's messages; a fragment that is read needs none."""
    match None if compression is None else compression.type:
        case "BFloat16":
            return BFloat16(seed)
        case "Int8":
            return Int8()
        case _:
            return PLAIN


def is_int8(compression: Compression | None) -> bool:
    """Say whether messages are differences from what the receiver knows."""
    return compression is not None and compression.type == "Int8"


def message_dtype(compression: Compression | None, dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of messages as they travel, given the model's."""
    return torch.uint8 if _is_encoded(compression) else dtype


def message_bytes(compression: Compression | None, size: int, dtype: torch.dtype) -> int:
    """Return how many bytes a message of `size` values takes, given the model's dtype."""
    if compression is None or not _is_encoded(compression):
        return size * dtype.itemsize
    return int8_blocks.num_bytes(size) if is_int8(compression) else size * bfloat16.NUM_BYTES


def _is_encoded(compression: Compression | None) -> bool:
    return compression is not None and compression.type != "Partial"
