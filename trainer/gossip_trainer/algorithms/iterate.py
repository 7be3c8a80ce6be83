"""The point x that a strategy averages, seen through the live parameters.

With Nesterov momentum torch keeps the live parameters at the look-ahead point
theta = x - momentum * learning_rate * buffer. Peers exchange the base point x, but the live
parameters are never shifted back and forth: x is written out in one fused pass, and every change
of x is applied to theta as the same difference. Without Nesterov x and theta are one.

Knows nothing of models, optimizers or peers.
"""

from dataclasses import dataclass

from torch import Tensor, add, empty_like

# 64 Ki float32 values (256 KiB): one block stays in the second-level cache between its two kernels,
# so the blocked loop below reads and writes main memory once.
BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class LookAhead:
    """The shift of the live parameters against x: theta = x - scale * momentum."""

    momentum: Tensor  # (num_parameters,), the optimizer's own buffer
    scale: float  # momentum coefficient times learning rate


class Iterate:
    """One worker's x: a flat vector of parameters and float buffers, shape (size,).

    `look_ahead` covers the leading `look_ahead.momentum.numel()` values, the parameters; the rest
    (buffers such as batch-norm statistics) is never shifted.
    """

    __slots__ = ("_look_ahead", "live")

    def __init__(self, live: Tensor, look_ahead: LookAhead | None = None) -> None:
        self.live = live
        self._look_ahead = look_ahead

    def copy(self) -> Tensor:
        """Return x as a new vector, shape (size,)."""
        out = empty_like(self.live)
        self.write_to_(out)
        return out

    def write_to_(self, out: Tensor) -> None:
        """Write x into `out`, shape (size,), in one pass."""
        shift = self._look_ahead
        if shift is None:
            out.copy_(self.live)
            return
        n = shift.momentum.numel()
        add(self.live[:n], shift.momentum, alpha=shift.scale, out=out[:n])
        out[n:].copy_(self.live[n:])

    def drag_(self, follower: Tensor, weight: float) -> None:
        """Set `follower`, shape (size,), to (1 - weight) * follower + weight * x."""
        follower.lerp_(self.live, weight)
        shift = self._look_ahead
        if shift is not None:
            follower[: shift.momentum.numel()].add_(shift.momentum, alpha=weight * shift.scale)

    def lerp_(self, other: Tensor, weight: float, *, start: int = 0) -> None:
        """Set x from `start` on to (1 - weight) * x + weight * other in one pass.

        `other`, shape (n,), is left as it is. With x = theta + s m that is
        theta + weight (other - theta - s m), block by block.
        """
        live, shift = self.live[start : start + other.numel()], self._look_ahead
        if shift is None:
            live.lerp_(other, weight)
            return
        momentum = shift.momentum[start : start + other.numel()]
        n = momentum.numel()
        # A GPU reads its memory at full speed anyway and would wait for every launch.
        block = BLOCK if live.device.type == "cpu" else max(n, 1)
        for begin in range(0, n, block):
            end = min(begin + block, n)
            theta = live[begin:end]
            theta.lerp_(other[begin:end], weight)
            theta.sub_(momentum[begin:end], alpha=weight * shift.scale)
        live[n:].lerp_(other[n:], weight)

    def add_(self, difference: Tensor, *, alpha: float = 1.0, start: int = 0) -> None:
        """Add alpha * difference, shape (n,), to x from `start` on; theta moves by the same."""
        self.live[start : start + difference.numel()].add_(difference, alpha=alpha)

    def assign_(self, value: Tensor, *, start: int = 0) -> None:
        """Set x from `start` on to `value`, shape (n,); theta keeps its shift against x."""
        end = start + value.numel()
        self.live[start:end].copy_(value)
        shift = self._look_ahead
        if shift is not None:
            momentum = shift.momentum[start:end]
            self.live[start : start + momentum.numel()].sub_(momentum, alpha=shift.scale)
