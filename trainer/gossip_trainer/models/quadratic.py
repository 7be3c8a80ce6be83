"""The quadratic h/2 |x|^2 with noise on its gradient; goes with the data set of the same name."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from gossip_trainer.errors import ModelError

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


class Quadratic(nn.Module):
    """Holds x, shape (dimension,), and answers with losses whose gradient is h x + xi."""

    def __init__(self, x: Tensor, curvature: float) -> None:
        super().__init__()
        self.x = nn.Parameter(x)
        self.curvature = curvature

    def forward(self, noise: Tensor) -> Tensor:
        """Return the loss h/2 |x|^2 + xi . x of every xi; from shape (n, dimension) to (n, 1)."""
        if noise.dtype != self.x.dtype:
            raise ModelError(
                f"spec.training.model.args.precision: is {self.x.dtype}, the data's is "
                f"{noise.dtype}; give both the same"
            )
        losses: Tensor = noise @ self.x + self.curvature / 2 * self.x.square().sum()
        return losses.unsqueeze(1)


def quadratic(
    *,
    input_shape: tuple[int, ...],
    num_classes: int,
    curvature: float = 1.0,
    start: float = 1.0,
    precision: Literal["float32", "float64"] = "float32",
) -> nn.Module:
    """Return the quadratic.

    Args:
        input_shape: of the noise, (dimension,).
        num_classes: must be 1, a loss for each example.
        curvature: h, at least 0; with 0 nothing but noise moves x.
        start: what every coordinate of x is at first.
        precision: of x; the data's.

    Raises:
        ModelError: an argument has a wrong value, or the data set is another.

    """
    if num_classes != 1 or len(input_shape) != 1:
        raise ModelError("spec.training.model.name quadratic: goes only with data quadratic")
    if precision not in PRECISIONS:
        raise _wrong("precision", precision, f"one of {', '.join(PRECISIONS)}")
    if not _is_finite(curvature) or curvature < 0:
        raise _wrong("curvature", curvature, "a number >= 0")
    if not _is_finite(start):
        raise _wrong("start", start, "a number")
    x = torch.full(input_shape, float(start), dtype=PRECISIONS[precision])
    return Quadratic(x, float(curvature))


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(name: str, got: object, expected: str) -> ModelError:
    return ModelError(f"spec.training.model.args.{name}: got {got!r}, expected {expected}")
