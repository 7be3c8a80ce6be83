"""A device whose copies end when a test lets them; its memory is the host's."""

import threading

import torch
from torch import Tensor

from gossip_trainer.replica.device import SideLink

SECONDS = 10.0


class LateCopies:
    """A copy stream that stops before every copy while its gate is shut.

    Attributes:
        gate: open at first.
        log: what was asked for, in order.
        failure: raised by the next copy, if there is one.

    """

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.log: list[str] = []
        self.failure: Exception | None = None
        self._marks = 0

    def mark(self) -> object:
        """Count the marks."""
        self._marks += 1
        self.log.append(f"mark {self._marks}")
        return self._marks

    def copy_out_(self, out: Tensor, source: Tensor, after: object) -> None:
        """Copy when the gate is open."""
        self._pass()
        self.log.append(f"out after {after}")
        out.copy_(source)

    def copy_in(self, vector: Tensor) -> Tensor:
        """Copy when the gate is open."""
        self._pass()
        self.log.append("in")
        return vector.clone()

    def host_vector(self, size: int, dtype: torch.dtype) -> Tensor:
        """Return zeros."""
        return torch.zeros(size, dtype=dtype)

    def _pass(self) -> None:
        assert self.gate.wait(SECONDS), "the test has not opened the gate"
        if self.failure is not None:
            raise self.failure


def await_copies(link: SideLink) -> None:
    """Wait until the link has done all that it was given before."""
    done = threading.Event()
    link.bring_out((), lambda _vectors: done.set())
    assert done.wait(SECONDS), "the copies have not ended"
