"""What a forward and a backward compute in, and what keeps half precision from losing gradients.

References: Micikevicius et al., "Mixed precision training", 2018 (arXiv:1710.03740); the constants
are those of `torch.amp.GradScaler`.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor
from torch.linalg import vector_norm

Precision = Literal["float32", "bfloat16", "float16"]

GROWTH: Final = 2.0
GROWTH_INTERVAL: Final = 2000  # gradients in a row that were finite

_DTYPES: Final = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which torch computes in `precision` where that is sound.

    With float32 there is none: torch computes in the model's own precision, which may be float64.
    """
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


@dataclass(slots=True)
class LossScale:
    """The factor of a loss whose gradient is computed in float16, where small values become zero.

    A power of two, so that float32 gradients divided by it are as exact as before. It is halved
    when a gradient overflows and doubled when none has for long. Not below 1: what overflows
    there overflows without a scale as well.

    Attributes:
        factor: what the loss is multiplied by.
        num_finite: gradients in a row that were finite since it last changed.

    """

    factor: float = 2.0**16
    num_finite: int = 0

    def state_dict(self) -> dict[str, float]:
        """Return where it stands."""
        return {"factor": self.factor, "num_finite": self.num_finite}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on from there."""
        self.factor, self.num_finite = state_dict["factor"], int(state_dict["num_finite"])

    def unscale_(self, gradient: Tensor) -> bool:
        """Divide a gradient by the factor and adapt that; return whether it is to be computed anew.

        Args:
            gradient: of the scaled loss, float32; left infinite or NaN where nothing helps.

        """
        gradient.mul_(1.0 / self.factor)
        if vector_norm(gradient, ord=torch.inf).isfinite():
            self.num_finite += 1
            if self.num_finite == GROWTH_INTERVAL:
                self.factor, self.num_finite = self.factor * GROWTH, 0
            return False
        if self.factor == 1.0:
            return False
        self.factor, self.num_finite = self.factor / GROWTH, 0
        return True
