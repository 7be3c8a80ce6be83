"""Tries a model on two examples before anybody trains it."""

import torch
from torch import nn

from gossip_trainer.data.dataset import Dataset
from gossip_trainer.errors import GossipTrainerError, ModelError
from gossip_trainer.replica.layout import exchanged_tensors


def try_model(name: str, module: nn.Module, dataset: Dataset) -> None:
    """Check that `module` maps a batch to one score per class for each of its targets.

    Raises:
        ModelError: it fails on the data set's examples or answers in another shape.

    """
    for tensor_name, tensor in exchanged_tensors(module)[1].items():
        if not tensor.isfinite().all():
            raise ModelError(
                f"spec.training.model {name}: {tensor_name} has values that are not finite, which "
                "become nan when models are averaged; register such a buffer with "
                "persistent=False, or as bool"
            )
    inputs, targets = next(iter(dataset.test_batches(2)))
    expected = (*targets.shape, dataset.num_classes)
    module.eval()
    try:
        with torch.no_grad():
            outputs = module(inputs)
    except GossipTrainerError:
        raise
    except Exception as error:
        raise ModelError(
            f"spec.training.model {name}: fails on a batch of shape {tuple(inputs.shape)}, dtype "
            f"{inputs.dtype}: {' '.join(str(error).split())}"
        ) from error
    finally:
        module.train()
    if not isinstance(outputs, torch.Tensor) or tuple(outputs.shape) != expected:
        found = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs)
        raise ModelError(
            f"spec.training.model {name}: answers a batch of {len(inputs)} examples with {found}; "
            f"must be a tensor of shape {expected}, one score per class"
        )
