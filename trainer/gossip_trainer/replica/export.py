"""A model on disk, for this and other programs: whole, or not there at all."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

ModelFormat = Literal["safetensors", "torch"]


def save_model(module: nn.Module, path: Path, metadata: Mapping[str, str]) -> None:
    """Write the module's state dict; `metadata` are texts stored beside the tensors."""
    write_state(module.state_dict(), path, metadata)


def write_state(
    state: Mapping[str, Tensor],
    path: Path,
    metadata: Mapping[str, str],
    model_format: ModelFormat = "safetensors",
) -> None:
    """Write a state dict.

    The file is written aside, synced and renamed, so that `path` never holds half a model.

    Args:
        state: tensors by name.
        path: the file.
        metadata: texts stored beside the tensors; torch's format has no place for them.
        model_format: safetensors, or what `torch.save` writes and
            `torch.load(..., weights_only=True)` reads.

    """
    # Tensors that share memory, as views of one flat vector do, are copied: the formats want it.
    tensors = {
        name: tensor.detach().clone(memory_format=torch.contiguous_format)
        for name, tensor in state.items()
    }
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    if model_format == "torch":
        torch.save(tensors, aside)
    else:
        save_file(tensors, aside, metadata=dict(metadata))
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.replace(path)
