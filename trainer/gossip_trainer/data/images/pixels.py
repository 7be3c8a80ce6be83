"""From decoded pixels to what a model sees: floats, normalised as for ImageNet."""

from typing import Final

import torch

from gossip_trainer.data.dataset import Batch
from gossip_trainer.data.decoding.task import Array

# Mean and standard deviation of ImageNet's red, green and blue, of 1.
_MEAN: Final = (torch.tensor([0.485, 0.456, 0.406]) * 255).view(-1, 1, 1)
_FACTOR: Final = 1 / (torch.tensor([0.229, 0.224, 0.225]) * 255).view(-1, 1, 1)


def normalized(inputs: Array, targets: Array) -> Batch:
    """Return decoded images, uint8, as float32; in pinned memory where there is a GPU in use.

    It is done here and not where they are decoded, for bytes are a quarter of what floats are.
    """
    floats = torch.empty(inputs.shape, pin_memory=_is_gpu_used())
    torch.sub(torch.from_numpy(inputs), _MEAN, out=floats).mul_(_FACTOR)
    return Batch(floats, torch.from_numpy(targets))


def _is_gpu_used() -> bool:
    used: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return used
