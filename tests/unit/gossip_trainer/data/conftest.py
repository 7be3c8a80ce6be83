"""Makers of small data files in the formats that the readers expect."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

WriteFile = Callable[..., Path]


def _write(path: Path, content: bytes, *, compress: bool) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if compress:
        path = path.with_name(f"{path.name}.gz")
        content = gzip.compress(content)
    path.write_bytes(content)
    return path


@pytest.fixture
def write_idx() -> WriteFile:
    def write(path: Path, array: np.ndarray, *, compress: bool = False, dims=None) -> Path:
        shape = array.shape if dims is None else dims
        header = bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape)
        return _write(path, header + array.astype(np.uint8).tobytes(), compress=compress)

    return write


@pytest.fixture
def write_fashion_mnist(write_idx: WriteFile) -> Callable[..., Path]:
    """Write 30 training and 20 test images; all pixels of one image equal its number."""

    def write(folder: Path, *, compress: bool = False) -> Path:
        for split, count in (("train", 30), ("t10k", 20)):
            numbers = np.arange(count)
            images = np.broadcast_to(numbers[:, None, None], (count, 28, 28))
            write_idx(folder / f"{split}-images-idx3-ubyte", images, compress=compress)
            write_idx(folder / f"{split}-labels-idx1-ubyte", numbers % 10, compress=compress)
        return folder

    return write


@pytest.fixture
def write_cifar10() -> Callable[..., Path]:
    """Write six files of four images each; record i of a file has label i, red 10 i, rest 0."""

    def write(folder: Path, *, compress: bool = False) -> Path:
        records = np.zeros((4, 3073), np.uint8)
        records[:, 0] = np.arange(4)
        records[:, 1:1025] = 10 * np.arange(4)[:, None]
        names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
        for name in names:
            _write(folder / name, records.tobytes(), compress=compress)
        return folder

    return write


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or fills the user's own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gossip-training"
