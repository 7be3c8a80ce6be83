"""The 1,797 handwritten digits of 8 x 8 pixels that ship with scikit-learn; needs no network."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gossip_trainer.data.dataset import Batch, InMemoryDataset, Normalization
from gossip_trainer.errors import DataError
from gossip_trainer.seeding import derive_generator

NUM_CLASSES = 10
_TEST_SHARE = 5  # every fifth example of a class is held out
# The split is part of the data set, not of a run: results of different seeds stay comparable.
_SPLIT_SEED = 1797
# Over the training split; pixels are 0 to 16.
_NORMALIZATION = Normalization(mean=(4.88,), std=(6.02,))


def load() -> InMemoryDataset:
    """Return the digits, about 80 % of each class for training and 20 % for tests.

    Raises:
        DataError: scikit-learn is not installed, or does not carry the file.

    """
    table = torch.from_numpy(_read_table())
    images, targets = table[:, :-1].reshape(-1, 1, 8, 8), table[:, -1].long()
    held_out = _held_out(targets)
    return InMemoryDataset(
        Batch(images[~held_out], targets[~held_out]),
        Batch(images[held_out], targets[held_out]),
        num_classes=NUM_CLASSES,
        normalization=_NORMALIZATION,
    )


def _read_table() -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Return the file's rows: 64 pixels and the class, uint8, shape (1797, 65)."""
    # Not load_digits(): importing it costs each process 2 to 3 s of a core, this costs 6 ms.
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataError("digits: they ship with scikit-learn, which is not installed; install it")
    path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        raise DataError(f"digits: {path} does not exist; reinstall scikit-learn")
    with gzip.open(path, "rt", encoding="ascii") as lines:
        return np.loadtxt(lines, delimiter=",", dtype=np.uint8)


def _held_out(targets: Tensor) -> Tensor:
    """Mark one fifth of each class, at random but always the same."""
    generator = derive_generator(_SPLIT_SEED, "digits", "split")
    mask = torch.zeros(len(targets), dtype=torch.bool)
    for label in range(NUM_CLASSES):
        members = (targets == label).nonzero().flatten()
        order = torch.randperm(len(members), generator=generator)
        mask[members[order[: round(len(members) / _TEST_SHARE)]]] = True
    return mask
