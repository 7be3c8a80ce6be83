"""The gradient of one batch, computed as the job wants it.

Knows nothing of optimizers, of other workers, or of where a batch comes from.
"""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import log_softmax

from gossip_api.training import Training
from gossip_trainer.data.dataset import Batch
from gossip_trainer.errors import ModelError
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.compilation import compiled
from gossip_trainer.training.precision import LossScale, autocast

LossOf = Callable[[Tensor, Tensor], Tensor]
"""From outputs, shape (num_examples, ..., num_classes), and targets to the mean loss."""

EPSILON: Final = 1e-6  # as in torch's clip_grad_norm_


class GradientComputation:
    """Forward and backward of a batch: in parts, in the job's precision, by the job's loss.

    With float16 a batch whose gradient overflows is computed again with a smaller scale, until it
    fits. So nobody else has to know of scales: every gradient that leaves is unscaled, and no step
    is skipped. Batch norms then take the batch in more than once, which happens a few times in the
    beginning and about once in 2,000 steps later.

    Args:
        model: whose gradient; it is cleared here, never set to None.
        dataset_loss: the data set's.
        settings: the job's `training`.

    Attributes:
        scale: the scale of the loss, where there is one; a resumed worker goes on with its own.

    """

    def __init__(self, model: FlatModel, dataset_loss: LossOf, settings: Training) -> None:
        self._model = model
        self._settings = settings
        smoothing = settings.label_smoothing
        self._loss = smoothed(dataset_loss, smoothing) if smoothing else dataset_loss
        self._module = compiled(model.module) if settings.compile else model.module
        self.scale = LossScale() if settings.precision == "float16" else None

    def __call__(self, batch: Batch) -> Tensor:
        """Leave the mean gradient in the model's `gradient`; return the detached mean loss.

        Raises:
            ModelError: the model cannot be compiled, or takes no images but `memoryFormat` does.

        """
        batch = self._placed(batch)
        while True:
            loss = self._accumulate(batch)
            # A loss that is not finite by itself no scale of it can help.
            if self.scale is None or not loss.isfinite():
                return loss
            if not self.scale.unscale_(self._model.gradient):
                return loss

    def _accumulate(self, batch: Batch) -> Tensor:
        """Sum up the gradients and losses of the batch's parts, each by its share of the batch."""
        self._model.gradient.zero_()
        num_parts = self._settings.gradient_accumulation
        if num_parts == 1:
            return self._backward(batch, 1.0)
        parts = map(Batch, batch.inputs.chunk(num_parts), batch.targets.chunk(num_parts))
        num_examples = len(batch.targets)
        losses = [self._backward(part, len(part.targets) / num_examples) for part in parts]
        return torch.stack(losses).sum()

    def _backward(self, part: Batch, share: float) -> Tensor:
        """Add `share` of a part's gradient; return as much of its loss."""
        vector = self._model.vector
        with autocast(self._settings.precision, vector.device):
            outputs = self._module(part.inputs)
        loss = self._loss(outputs.to(vector.dtype), part.targets)
        if share != 1.0:
            loss = loss * share
        scaled = loss if self.scale is None else loss * self.scale.factor
        scaled.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _placed(self, batch: Batch) -> Batch:
        """Return the batch where the model is, images as the job wants them to lie."""
        device = self._model.vector.device
        inputs = batch.inputs.to(device, non_blocking=True)
        if self._settings.memory_format == "ChannelsLast":
            if inputs.dim() != 4:
                raise ModelError(
                    "spec.training.memoryFormat: ChannelsLast is for images, of shape [channels, "
                    f"height, width]; the data has inputs of shape {list(inputs.shape[1:])}; "
                    "remove it"
                )
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return Batch(inputs, batch.targets.to(device, non_blocking=True))


def smoothed(loss: LossOf, smoothing: float) -> LossOf:
    """Return a loss of which the part `smoothing` is that of a target spread over all classes.

    Of the cross-entropy it makes the cross-entropy with label smoothing.

    Reference: Szegedy et al., "Rethinking the Inception architecture", 2016 (arXiv:1512.00567), 7.
    """

    def mixed(outputs: Tensor, targets: Tensor) -> Tensor:
        spread = -log_softmax(outputs, dim=-1).mean()
        return loss(outputs, targets).lerp(spread, smoothing)

    return mixed


def clip_(gradient: Tensor, max_norm: float) -> float:
    """Scale a gradient that is longer than `max_norm` down to it; return the norm that it had.

    One that is not finite stays as it is.

    Reference: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks",
    2013 (arXiv:1211.5063).
    """
    norm: float = vector_norm(gradient).item()
    if max_norm < norm < float("inf"):
        gradient.mul_(max_norm / (norm + EPSILON))
    return norm
