"""How good a model is on held-out data."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from gossip_trainer.data.dataset import Dataset

BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class Score:
    """Mean loss of a target and the share of targets that were found, None without classes."""

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
    loss, correct, graded = 0.0, 0, 0
    has_classes = True
    device = next((each.device for each in module.parameters()), torch.device("cpu"))
    for batch in dataset.test_batches(BATCH_SIZE):
        inputs, targets = (each.to(device, non_blocking=True) for each in batch)
        grade = dataset.grade(module(inputs), targets)
        loss += grade.loss
        correct += grade.correct or 0
        has_classes = has_classes and grade.correct is not None
        graded += targets.numel()
        after_batch()
    return Score(loss / graded, correct / graded if has_classes else None)
