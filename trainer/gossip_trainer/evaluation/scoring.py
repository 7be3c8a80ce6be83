"""How good a model is on held-out data."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from gossip_trainer.data.dataset import Dataset

BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class Score:
    """Mean loss and the share of examples whose class was found, None where there are none."""

    loss: float
    accuracy: float | None


@torch.no_grad()
def score(
    module: nn.Module, dataset: Dataset, after_batch: Callable[[], None] = lambda: None
) -> Score:
    """Test `module` on the data set's held-out part; changes nothing but its training flag.

    `after_batch` is called between batches, for what cannot wait until a long test is over.
    """
    module.eval()
    loss, correct, examples = 0.0, 0, 0
    has_classes = True
    for inputs, targets in dataset.test_batches(BATCH_SIZE):
        grade = dataset.grade(module(inputs), targets)
        loss += grade.loss
        correct += grade.correct or 0
        has_classes = has_classes and grade.correct is not None
        examples += len(targets)
        after_batch()
    return Score(loss / examples, correct / examples if has_classes else None)
