"""A model on disk: safetensors, whole or not there at all."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn


def save_model(module: nn.Module, path: Path, metadata: Mapping[str, str]) -> None:
    """Write the module's state dict; `metadata` are texts stored beside the tensors.

    The file is written aside, synced and renamed, so that `path` never holds half a model.
    """
    # Tensors that share memory, as views of one flat vector do, are copied: the format wants it.
    tensors = {
        name: tensor.detach().clone(memory_format=torch.contiguous_format)
        for name, tensor in module.state_dict().items()
    }
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(tensors, aside, metadata=dict(metadata))
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.replace(path)
