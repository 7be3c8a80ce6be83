"""The IDX format of MNIST and its relatives, for bytes: read with every size checked beforehand.

Layout: two zero bytes, a type code (8: unsigned byte), the number of dimensions, each dimension as
a big-endian 32-bit number, then the elements in C order.
"""

import math
import struct
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from gossip_trainer.data.dataset import Batch
from gossip_trainer.data.files import open_data, read_exactly_into
from gossip_trainer.errors import DataError

_UNSIGNED_BYTE = 0x08


def read_idx(path: Path, item_shape: tuple[int, ...]) -> Tensor:
    """Read a file of unsigned bytes, gzip or not.

    Args:
        path: the file.
        item_shape: the shape that one item must have; () for labels.

    Returns:
        uint8, shape (num_items, *item_shape).

    Raises:
        DataError: the file is no such file, is cut off, or holds something else.

    """
    with open_data(path) as (stream, max_bytes):
        shape = _read_header(stream, path, 1 + len(item_shape))
        if shape[1:] != item_shape:
            raise DataError(
                f"{path}: items have the shape {list(shape[1:])}, expected {list(item_shape)}"
            )
        num_bytes = math.prod(shape)
        if not 0 < num_bytes <= max_bytes:
            raise DataError(
                f"{path}: the header announces {num_bytes} bytes of data (shape {list(shape)}), "
                f"but a file of this size holds at least 1 and at most {max_bytes}"
            )
        array = np.empty(shape, dtype=np.uint8)
        read_exactly_into(stream, array.data.cast("B"), path)
    return torch.from_numpy(array)


def _read_header(stream: IO[bytes], path: Path, num_dims: int) -> tuple[int, ...]:
    expected = bytes((0, 0, _UNSIGNED_BYTE, num_dims))
    magic = stream.read(4)
    if magic != expected:
        raise DataError(
            f"{path}: starts with 0x{magic.hex()}, expected 0x{expected.hex()}: "
            f"an IDX file of unsigned bytes with {num_dims} dimension(s)"
        )
    dims = stream.read(4 * num_dims)
    if len(dims) < 4 * num_dims:
        raise DataError(f"{path}: cut off within its header; fetch it again")
    return struct.unpack(f">{num_dims}I", dims)


def read_labelled_images(
    images: Path, labels: Path, *, height: int, width: int, num_classes: int
) -> Batch:
    """Read a pair of IDX files as grey images (n, 1, height, width) and classes.

    Raises:
        DataError: a file is malformed, their lengths differ, or a label is no class.

    """
    pixels = read_idx(images, (height, width)).unsqueeze(1)
    targets = read_idx(labels, ()).long()
    if len(pixels) != len(targets):
        raise DataError(f"{images} has {len(pixels)} images but {labels} has {len(targets)} labels")
    check_labels(targets, num_classes, labels)
    return Batch(pixels, targets)


def check_labels(targets: Tensor, num_classes: int, path: Path) -> None:
    """Refuse labels that are no class.

    Raises:
        DataError: names the first such label and its place.

    """
    wrong = (targets >= num_classes).nonzero()
    if len(wrong):
        place = int(wrong[0])
        raise DataError(
            f"{path}: label {int(targets[place])} of example {place} is no class; "
            f"expected 0 to {num_classes - 1}"
        )
