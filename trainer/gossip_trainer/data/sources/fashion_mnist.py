"""Fashion-MNIST: 60,000 and 10,000 grey images of clothes, 28 x 28, ten classes; IDX files.

Reference: Xiao, Rasul, Vollgraf, arXiv:1708.07747.
"""

from pathlib import Path

from gossip_trainer.data.dataset import InMemoryDataset, Normalization
from gossip_trainer.data.download import (
    Fetch,
    Resource,
    cache_folder,
    download,
    fetch_with_torchvision,
)
from gossip_trainer.data.files import locate
from gossip_trainer.data.idx import read_labelled_images

NAME = "fashion-mnist"
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
USUAL_FOLDERS = (Path("/usr/share/datasets/fashion-mnist"),)
"""Where Debian's package dataset-fashion-mnist puts the files."""

# Over the training split: 0.2860 and 0.3530 of 255.
_NORMALIZATION = Normalization(mean=(72.94,), std=(90.02,))
_ADVICE = (
    "install the Debian package dataset-fashion-mnist, or put the files into a folder and set "
    "spec.training.data.root to it"
)


def load(
    root: Path | None,
    *,
    usual_folders: tuple[Path, ...] = USUAL_FOLDERS,
    fetch: Fetch = fetch_with_torchvision,
) -> InMemoryDataset:
    """Read the four files, gzip or not.

    Args:
        root: the folder with the files, or with torchvision's FashionMNIST/raw below it. None: the
            usual folders, the cache, or a download into the cache.
        usual_folders: for tests.
        fetch: for tests.

    Raises:
        DataError: files are missing or malformed.

    """
    cache = cache_folder(NAME)

    def fetch_into_cache() -> Path:
        download(_resources(), cache, fetch=fetch)
        return cache

    paths = locate(
        NAME,
        FILES,
        given=[root, root / "FashionMNIST" / "raw"] if root else [],
        usual=[*usual_folders, cache],
        fetch=fetch_into_cache,
        advice=_ADVICE,
    )
    train, test = (
        read_labelled_images(
            paths[f"{split}-images-idx3-ubyte"],
            paths[f"{split}-labels-idx1-ubyte"],
            height=28,
            width=28,
            num_classes=10,
        )
        for split in ("train", "t10k")
    )
    return InMemoryDataset(train, test, num_classes=10, normalization=_NORMALIZATION)


def _resources() -> list[Resource]:
    from torchvision.datasets import FashionMNIST  # noqa: PLC0415 - takes seconds to import

    mirror = FashionMNIST.mirrors[0]
    return [Resource(mirror + name, md5) for name, md5 in FashionMNIST.resources]
