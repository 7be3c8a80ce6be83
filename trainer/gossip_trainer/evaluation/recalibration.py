"""Batch-norm statistics for a model whose weights were averaged.

The mean of several models has activations unlike those of any of them, so the mean of their
running statistics does not describe it. One pass over training data finds the right ones, as after
stochastic weight averaging (Izmailov et al., 2018, https://arxiv.org/abs/1803.05407).
"""

from collections.abc import Iterable
from itertools import islice

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from gossip_trainer.data.dataset import Batch
from gossip_trainer.errors import ModelError


def recalibrate_(module: nn.Module, batches: Iterable[Batch], num_batches: int) -> None:
    """Replace the running statistics of all batch norms by those of `num_batches` batches.

    Every batch counts alike: they are averages, not the moving ones of training.

    Raises:
        ModelError: the module has no such statistics.

    """
    norms = [each for each in module.modules() if isinstance(each, _BatchNorm)]
    if not any(norm.track_running_stats for norm in norms):
        raise ModelError(
            f"{type(module).__name__} has no batch norm with running statistics; there is nothing "
            "to recalibrate"
        )
    with torch.no_grad():
        update_bn((batch.inputs for batch in islice(batches, num_batches)), module)
