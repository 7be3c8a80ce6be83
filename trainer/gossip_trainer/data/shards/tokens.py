"""Files of tokens, memory-mapped and cut into windows of equal length; nothing is read beforehand.

A file is nothing but its tokens, one after another, little-endian. Windows lie side by side, and
none reaches from one file into the next: what is left at a file's end is left out.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gossip_trainer.errors import DataError

DTYPES = {name: np.dtype(name).newbyteorder("<") for name in ("uint8", "uint16", "uint32")}


class TokenWindows:
    """Window i is `context` tokens, and the one after them, which begins window i + 1.

    Args:
        files: in the order of their windows; those too short for one are skipped.
        dtype: a key of `DTYPES`.
        context: the length of a window.
        vocabulary: tokens are below this.

    Raises:
        DataError: a file cannot be read, or ends within a token.

    """

    def __init__(self, files: Sequence[Path], *, dtype: str, context: int, vocabulary: int) -> None:
        self._context = context
        self._vocabulary = vocabulary
        sizes = [(file, _num_tokens(file, DTYPES[dtype])) for file in files]
        long_enough = [(file, size) for file, size in sizes if size > context]
        self._files = [_memory_mapped(file, DTYPES[dtype]) for file, _ in long_enough]
        # The number of windows before each file, and at last of all.
        self._begins = [0, *accumulate((size - 1) // context for _, size in long_enough)]

    def __len__(self) -> int:
        return self._begins[-1]

    def read(self, numbers: Sequence[int]) -> Tensor:
        """Return windows and their last token's successor, int64, (len(numbers), context + 1).

        Raises:
            DataError: one holds a token outside the vocabulary.

        """
        windows = np.stack([self._window(number) for number in numbers])
        if int(windows.max()) >= self._vocabulary:
            raise self._outside(windows, numbers)
        return torch.from_numpy(windows.astype(np.int64))

    def _window(self, number: int) -> NDArray[np.unsignedinteger]:
        file = bisect_right(self._begins, number) - 1
        begin = (number - self._begins[file]) * self._context
        return self._files[file][begin : begin + self._context + 1]

    def _outside(self, windows: NDArray[np.unsignedinteger], numbers: Sequence[int]) -> DataError:
        row, column = np.argwhere(windows >= self._vocabulary)[0]
        file = bisect_right(self._begins, numbers[row]) - 1
        place = (numbers[row] - self._begins[file]) * self._context + int(column)
        return DataError(
            f"{self._files[file].filename}: token {place} is {windows[row, column]}, outside "
            f"spec.training.data.args.vocabulary, {self._vocabulary}; give the tokenizer's, and "
            "the dtype that the file was written with"
        )


def _num_tokens(file: Path, dtype: np.dtype[np.unsignedinteger]) -> int:
    try:
        num_bytes = file.stat().st_size
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
    if num_bytes % dtype.itemsize:
        raise DataError(
            f"{file}: {num_bytes} bytes are no whole number of {dtype.name} tokens; it is cut "
            "off, or spec.training.data.args.dtype is wrong"
        )
    return num_bytes // dtype.itemsize


def _memory_mapped(
    file: Path, dtype: np.dtype[np.unsignedinteger]
) -> "np.memmap[tuple[int], np.dtype[np.unsignedinteger]]":
    try:
        return np.memmap(file, dtype=dtype, mode="r")
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
