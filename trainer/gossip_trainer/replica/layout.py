"""Where each tensor of a model lies in its flat vector.

Trainable parameters come first, those of two dimensions or more before norms and biases, so that
weight decay may end where those begin; then everything else that is exchanged: frozen parameters
and float buffers such as batch-norm statistics. Integer buffers (`num_batches_tracked`) stay local.
Every tensor starts on a 64-byte boundary, so that vectorised kernels treat a tensor inside the
vector exactly like one of its own; the gaps stay zero and take part in every exchange as zeros.
"""

import hashlib
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from gossip_trainer.errors import ModelError

ALIGNMENT = 64  # bytes
DTYPES = (torch.float32, torch.float64)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of the model: its name, shape and place in the flat vector.

    One that is channels last (torch.channels_last) stays so: its values lie in that order.
    """

    name: str
    shape: tuple[int, ...]
    offset: int  # in elements
    is_channels_last: bool = False

    @property
    def numel(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def of(self, vector: Tensor) -> Tensor:
        """Return this tensor's view of a flat vector."""
        part = vector[self.offset : self.offset + self.numel]
        if self.is_channels_last:
            outputs, inputs, height, width = self.shape
            return part.view(outputs, height, width, inputs).permute(0, 3, 1, 2)
        return part.view(self.shape)


@dataclass(frozen=True, slots=True)
class Layout:
    """All tensors of one model; equal layouts have equal digests."""

    trainable: tuple[Entry, ...]
    others: tuple[Entry, ...]
    num_weights: int  # the leading part, gaps included, of two dimensions or more
    num_parameters: int  # the leading part, gaps included, that the optimizer moves
    size: int  # of the whole vector, in elements
    dtype: torch.dtype

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every tensor, in the order of the vector."""
        return self.trainable + self.others

    @property
    def num_bytes(self) -> int:
        """Size of the whole vector in bytes."""
        return self.size * self.dtype.itemsize

    def digest(self) -> str:
        """Return a SHA-256 over names, shapes, places and the dtype; peers must agree on it."""
        lines = [f"{self.dtype} {self.num_parameters} {self.size}"]
        lines += [
            f"{e.name} {list(e.shape)} {e.offset}" + " channels last" * e.is_channels_last
            for e in self.entries
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def layout_of(module: nn.Module) -> Layout:
    """Return the layout of a module.

    Raises:
        ModelError: the module has no trainable parameter, or its tensors differ in dtype.

    """
    trainable, others = exchanged_tensors(module)
    if not trainable:
        raise ModelError(f"{type(module).__name__} has no trainable parameter; nothing to train")
    dtype = next(iter(trainable.values())).dtype
    if dtype not in DTYPES:
        raise ModelError(
            f"{type(module).__name__} has parameters of dtype {dtype}; must be float32 or float64"
        )
    for name, tensor in (trainable | others).items():
        if tensor.dtype != dtype:
            raise ModelError(
                f"{type(module).__name__}.{name} has dtype {tensor.dtype}, the first parameter has "
                f"{dtype}; all parameters and float buffers must share one dtype"
            )
    step = ALIGNMENT // dtype.itemsize
    weights, num_weights = _place({n: t for n, t in trainable.items() if t.dim() >= 2}, 0, step)
    flat = {n: t for n, t in trainable.items() if t.dim() < 2}
    norms_and_biases, num_parameters = _place(flat, num_weights, step)
    rest, size = _place(others, num_parameters, step)
    return Layout(weights + norms_and_biases, rest, num_weights, num_parameters, size, dtype)


def exchanged_tensors(module: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the trainable parameters, and the frozen ones with all persistent float buffers."""
    parameters = dict(module.named_parameters())
    persistent = module.state_dict(keep_vars=True).keys()
    buffers = {
        name: buffer
        for name, buffer in module.named_buffers()
        if buffer.is_floating_point() and name in persistent
    }
    trainable: dict[str, Tensor] = {n: p for n, p in parameters.items() if p.requires_grad}
    frozen: dict[str, Tensor] = {n: p for n, p in parameters.items() if not p.requires_grad}
    return trainable, frozen | buffers


def _place(tensors: dict[str, Tensor], start: int, step: int) -> tuple[tuple[Entry, ...], int]:
    entries: list[Entry] = []
    for name, tensor in tensors.items():
        entries.append(Entry(name, tuple(tensor.shape), start, _is_channels_last(tensor)))
        start += -(-tensor.numel() // step) * step
    return tuple(entries), start


def _is_channels_last(tensor: Tensor) -> bool:
    return not tensor.is_contiguous() and tensor.is_contiguous(memory_format=torch.channels_last)
