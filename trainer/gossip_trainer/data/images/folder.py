"""The files of a folder of images, class by class; remembered in little memory.

ImageNet's 1.28 million names take 44 MB here. As Python's strings they would take 100 MB, in every
worker.
"""

import os
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

import numpy as np
import torch

from gossip_trainer.errors import DataError

ENDINGS: Final = (".jpeg", ".jpg", ".png", ".webp", ".bmp", ".ppm")
_LAYOUT: Final = "expected is one folder per class, with its images in it"


class ImageFiles:
    """The images of one split, sorted by class and name.

    Attributes:
        targets: the class of every image, int64.

    """

    def __init__(self, folder: Path, classes: Sequence[str], names: Sequence[list[str]]) -> None:
        self._folder = os.fspath(folder)
        self._classes = classes
        encoded = [os.fsencode(name) for each in names for name in each]
        self._names = b"".join(encoded)
        self._begins = np.fromiter(accumulate(map(len, encoded), initial=0), np.int64)
        counts = torch.tensor([len(each) for each in names], dtype=torch.int64)
        self.targets = torch.repeat_interleave(counts)

    def __len__(self) -> int:
        return len(self.targets)

    def path(self, index: int) -> str:
        """Return where an image is."""
        begin, end = self._begins[index : index + 2]
        folder = self._classes[int(self.targets[index])]
        return f"{self._folder}/{folder}/{os.fsdecode(self._names[begin:end])}"


def class_names(folder: Path) -> list[str]:
    """Return the names of the folders in `folder`, sorted: class 0 is the first.

    Raises:
        DataError: the folder cannot be read, or has no two folders in it.

    """
    with _scan(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    if len(names) < 2:
        raise DataError(
            f"{folder}: has {len(names)} folders in it; {_LAYOUT}, and at least two classes"
        )
    return names


def scan_images(folder: Path, classes: Sequence[str], *, all_classes: bool) -> ImageFiles:
    """List the images of a split.

    Args:
        folder: the split's.
        classes: as `class_names` gives them.
        all_classes: whether each of them must have an image.

    Raises:
        DataError: a folder cannot be read, is of no class or empty, or there is no image at all.

    """
    unknown = set(class_names(folder)).difference(classes)
    if unknown:
        raise DataError(
            f"{folder}/{min(unknown)}: is none of the {len(classes)} classes that there are to "
            "learn from; add it there or remove it here"
        )
    names = [_images_in(folder / name) if (folder / name).is_dir() else [] for name in classes]
    for name, found in zip(classes, names, strict=True):
        if all_classes and not found:
            raise DataError(
                f"{folder}/{name}: has no image ({', '.join(ENDINGS)}) in it; add some or remove "
                "the folder"
            )
    if not any(names):
        raise DataError(f"{folder}: has no image ({', '.join(ENDINGS)}) in its folders")
    return ImageFiles(folder, classes, names)


def _images_in(folder: Path) -> list[str]:
    # Only names are looked at: asking for each file's kind would take a disk of the network a
    # thousand times as long.
    with _scan(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name.lower().endswith(ENDINGS))


def _scan(folder: Path) -> "os._ScandirIterator[str]":
    try:
        return os.scandir(folder)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be read: {error.strerror or error}; {_LAYOUT}"
        ) from error
