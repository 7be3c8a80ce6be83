"""How good a model is on held-out data."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gossip_trainer.data.dataset import Dataset

BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class Score:
    """Mean cross-entropy and the share of examples whose class was found."""

    loss: float
    accuracy: float


@torch.no_grad()
def score(
    module: nn.Module, dataset: Dataset, after_batch: Callable[[], None] = lambda: None
) -> Score:
    """Test `module` on the data set's held-out part; changes nothing but its training flag.

    `after_batch` is called between batches, for what cannot wait until a long test is over.
    """
    module.eval()
    loss, correct, examples = 0.0, 0, 0
    for inputs, targets in dataset.test_batches(BATCH_SIZE):
        outputs = module(inputs)
        loss += cross_entropy(outputs, targets, reduction="sum").item()
        correct += int((outputs.argmax(dim=1) == targets).sum())
        examples += len(targets)
        after_batch()
    return Score(loss / examples, correct / examples)
