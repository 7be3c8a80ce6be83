"""CIFAR-10: 50,000 and 10,000 colour images, 32 x 32, ten classes; the binary version.

The better known Python version is pickled: reading it would run whatever code it contains.

Layout of a file: records of one label byte and 3,072 pixels, as (channel, row, column).
Reference: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from gossip_trainer.data.dataset import Batch, InMemoryDataset, Normalization
from gossip_trainer.data.download import (
    Fetch,
    Resource,
    cache_folder,
    download,
    fetch_with_torchvision,
)
from gossip_trainer.data.files import locate, open_data
from gossip_trainer.data.idx import check_labels
from gossip_trainer.errors import DataError

NAME = "cifar10"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
ARCHIVE = Resource(
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    md5="c32a1d4ab5d03f1284b67883e8d87530",
)
FOLDER = "cifar-10-batches-bin"
"""The files' folder within the archive."""

_IMAGE_SHAPE = (3, 32, 32)
_RECORD_BYTES = 1 + 3 * 32 * 32
_MAX_RECORDS = 10_000
# Over the training split: 0.4914 0.4822 0.4465 and 0.2470 0.2435 0.2616 of 255.
_NORMALIZATION = Normalization(mean=(125.3, 123.0, 113.9), std=(63.0, 62.1, 66.7))
_ADVICE = (
    f"unpack {ARCHIVE.name} (the binary version, {ARCHIVE.url}) and set "
    "spec.training.data.root to its folder; cifar-10-batches-py, the Python version, is pickled "
    "and is never read"
)


def load(root: Path | None, *, fetch: Fetch = fetch_with_torchvision) -> InMemoryDataset:
    """Read the six files, gzip or not.

    Args:
        root: the folder with the files, or with cifar-10-batches-bin below it. None: the cache,
            or a download into the cache.
        fetch: for tests.

    Raises:
        DataError: files are missing or malformed.

    """
    cache = cache_folder(NAME)

    def fetch_into_cache() -> Path:
        download([ARCHIVE], cache, unpack=_unpack, fetch=fetch)
        return cache

    paths = locate(
        NAME,
        (*TRAIN_FILES, TEST_FILE),
        given=[root, root / FOLDER] if root else [],
        usual=[cache],
        fetch=fetch_into_cache,
        advice=_ADVICE,
    )
    parts = [_read(paths[name]) for name in TRAIN_FILES]
    train = Batch(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))
    return InMemoryDataset(
        train, _read(paths[TEST_FILE]), num_classes=10, normalization=_NORMALIZATION
    )


def _read(path: Path) -> Batch:
    """Read one file of records."""
    limit = _MAX_RECORDS * _RECORD_BYTES
    with open_data(path) as (stream, _):
        content = stream.read(limit + 1)
    if not content or len(content) % _RECORD_BYTES or len(content) > limit:
        size = "more" if len(content) > limit else f"{len(content)} bytes"
        raise DataError(
            f"{path}: expected 1 to {_MAX_RECORDS} records of {_RECORD_BYTES} bytes, "
            f"at most {limit} bytes; found {size}; fetch it again"
        )
    # A copy: tensors may be written to, bytes must not be.
    records = torch.from_numpy(np.frombuffer(content, np.uint8).reshape(-1, _RECORD_BYTES).copy())
    targets = records[:, 0].long()
    check_labels(targets, 10, path)
    return Batch(records[:, 1:].reshape(-1, *_IMAGE_SHAPE), targets)


def _unpack(archive: Path) -> Sequence[Path]:
    """Copy the six files out of the archive; nothing else in it can reach the disk."""
    unpacked = []
    try:
        with tarfile.open(archive) as members:
            for name in (*TRAIN_FILES, TEST_FILE):
                content = members.extractfile(f"{FOLDER}/{name}")
                if content is None:
                    raise DataError(f"{archive.name}: {FOLDER}/{name} is no plain file")
                unpacked.append(archive.with_name(name))
                with unpacked[-1].open("wb") as target:
                    shutil.copyfileobj(content, target)
    except (tarfile.TarError, KeyError) as error:
        raise DataError(f"{archive.name}: not the expected archive: {error}") from error
    return unpacked
