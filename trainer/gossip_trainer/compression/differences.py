"""A point that another knows nearly, kept up to date by coarse differences.

Both ends keep the same `known`, nothing at first. Whoever has the point says by how much it is off,
in few bits, and both add what was said:

    q = Q(x - known) ;  known <- known + q

What Q leaves out is still in x - known the next time: that is the error's memory. A difference is
numbered, so that two ends that have lost count, because one of them is new, find out and begin
again from nothing.

Reference: Koloskova, Stich, Jaggi, "Decentralized stochastic optimization and gossip algorithms
with compressed communication", 2019 (arXiv:1902.00340), whose x-hat this is.
"""

from torch import Tensor

from gossip_trainer.compression.codec import Codec


class Differences:
    """One end's memory of one point.

    Args:
        codec: how differences are written.

    Attributes:
        known: the point as both ends know it, shape (n,); None stands for nothing yet, zero.
        number: how many differences that took.

    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.known: Tensor | None = None
        self.number = 0

    def of(self, point: Tensor) -> Tensor:
        """Return, encoded, by how much `point` is off; nothing is taken to be known by that."""
        return self._codec.encode(point if self.known is None else point - self.known)

    def take_in(self, encoded: Tensor, like: Tensor) -> Tensor:
        """Add a difference that both ends have; return the point as both know it now."""
        difference = self._codec.decode(encoded, like.dtype)
        self.known = difference if self.known is None else self.known.add_(difference)
        self.number += 1
        return self.known

    def forget(self) -> None:
        """Begin again from nothing."""
        self.known, self.number = None, 0
